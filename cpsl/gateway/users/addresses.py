"""E-mail addresses in one form, so that two ways to write one are one person."""

from __future__ import annotations

import email_validator

from cpsl.gateway.users.forms import FormError

# Its list of names that no mail goes to has .local and localhost, where the mail of a house is delivered.
email_validator.SPECIAL_USE_DOMAIN_NAMES.clear()


def normalised(given: str) -> str:
    """An address in lower case, its domain as DNS has it (IDNA 2008). Raises FormError.

    The part before the ``@`` may be Unicode (RFC 6531), in its composed form (NFC).
    """
    try:
        found = email_validator.validate_email(
            given.strip(), check_deliverability=False, globally_deliverable=False, strict=True
        )
    except email_validator.EmailNotValidError as error:
        raise FormError("email", f"This is not an e-mail address: {error}", code="invalid_email") from None
    return f"{found.local_part.lower()}@{(found.ascii_domain or found.domain).lower()}"
