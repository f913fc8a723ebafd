"""An app that uses what its users have connected, and never says more of a token than its end."""

import cpsl

ID, KEY = cpsl.Secret.from_name("CONNECTOR_ID"), cpsl.Secret.from_name("CONNECTOR_SECRET")

app = cpsl.App(name="connector", image=cpsl.Image())
app.add_integration("github", client_id=ID, client_secret=KEY, scopes=["openid", "email"])
app.add_integration("linear", client_id=ID, client_secret=KEY, scopes=["openid"])
app.add_integration("box", fields=["user", "password", "region"])


@app.message()
async def handle(session: cpsl.Session, msg: cpsl.Message):
    what, _, name = msg.text.partition(" ")
    if what == "have":
        found = session.get_integration(name)
        await session.reply(_told(found) if found else "nothing")
    elif what == "all":
        await session.reply(repr(session.integrations))
    elif what == "show":
        await session.show_integration(name, reason="to see your repositories")
        await session.reply("shown")
    else:
        await ask(session, name or "github", fresh=what == "fresh")


async def ask(session: cpsl.Session, name: str, *, fresh: bool):
    before = session.get_integration(name)
    try:
        found = await session.prompt_integration(name, reason="to see your repositories", fresh=fresh)
    except cpsl.IntegrationDeclined:
        await session.reply("declined")
    except cpsl.ProviderFailed as error:
        await session.reply(f"{error.code}: {error.message}")
    else:
        is_new = before is None or before.access_token != found.access_token
        await session.reply(f"{_told(found)}, {'new' if is_new else 'as before'}")


def _told(found: cpsl.IntegrationCredentials) -> str:
    if found.fields:
        return f"form of {found.fields['user']}"
    return f"{found.token_type} token with {' '.join(found.scopes)}, expires: {found.expires_at > 0}"


@app.data("account")
async def account(ctx: cpsl.RequestContext):
    return sorted(ctx.integrations)
