"""The app as its file declares it: what it needs, and which functions answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from cpsl.app import secret as secrets_named
from cpsl.app.channels import API, AnyChannel, ChannelRef, Chat, _Inline
from cpsl.app.collections import CollectionRef, Column
from cpsl.app.filesystem import FileSystem
from cpsl.app.handlers import DataHandler, Handler, Handlers
from cpsl.app.image import Image
from cpsl.app.integrations import Integration, IntegrationConfig, integration_name
from cpsl.app.invalid import invalid
from cpsl.app.secret import Secret
from cpsl.wire.apps import AppSpec, IntegrationSpec, MountSpec
from cpsl.wire.names import check_app_name, check_mount_path, check_secret_name

_GPU = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}(:[1-9][0-9]?)?\Z")
_PRICING = ("one_time", "monthly")

Function = TypeVar("Function", bound=Callable[..., Any])


class App:
    """An app. Functions join it with its decorators: ``@app.message()``, ``@app.boot()``, ``@app.data("name")`` …

    Parameters: ``name`` (a host name label, like ``support-ops``); ``image``; ``channels``; ``keep_warm_seconds``
    an idle runtime stays; ``secrets`` to put into the environment, by name; ``filesystems``, mount path to
    ``FileSystem``; ``npm_packages`` for pages; ``cpu`` in cores; ``memory`` in MiB; ``gpu`` like ``"T4"`` or
    ``"A100:2"``; ``price`` in cents, ``pricing_type`` ``one_time`` or ``monthly``; ``description`` for people.
    Raises InvalidRequest (a ValueError) that says what to do for anything that cannot be right.
    """

    def __init__(
        self,
        name: str,
        *,
        image: Image | None = None,
        channels: Iterable[AnyChannel] | None = None,
        keep_warm_seconds: int = 0,
        secrets: Iterable[str | Secret] | None = None,
        filesystems: Mapping[str, FileSystem] | None = None,
        npm_packages: Iterable[str] | None = None,
        cpu: float = 0.25,
        memory: int = 512,
        gpu: str | None = None,
        price: int = 0,
        pricing_type: str = "one_time",
        description: str = "",
    ) -> None:
        self.name = check_app_name(name)
        self.image = _instance(image or Image(), Image, "image", "cpsl.Image()")
        self.channels = _channels(channels)
        self.keep_warm_seconds = _whole(keep_warm_seconds, "keep_warm_seconds", 0, 30 * 24 * 3600)
        self.secrets = _secrets(secrets)
        self.filesystems = _filesystems(filesystems)
        self.npm_packages = _names(npm_packages, "npm_packages")
        self.cpu = _cpu(cpu)
        self.memory = _whole(memory, "memory", 32, 1024 * 1024)
        self.gpu = _gpu(gpu)
        self.price = _whole(price, "price", 0, 100_000_000)
        self.pricing_type = _pricing_type(pricing_type)
        self.description = _instance(description, str, "description", '"what it does"')
        self.handlers = Handlers()
        self.collections: dict[str, CollectionRef] = {}
        self.integrations: dict[str, IntegrationSpec] = {}

    # --- what answers ---------------------------------------------------------------------------------------------

    def message(self, name: str | None = None) -> Callable[[Function], Function]:
        """The function that answers messages, as ``handler(session, msg)``. The last one registered is it.

        It may be async or not; what it returns as ``str`` is sent as a reply.
        """
        _no_argument(name, "message")
        return self._register("message", ("session", "msg"))

    def boot(self, function: None = None) -> Callable[[Function], Function]:
        """A function without parameters that runs once in each runtime, before it answers anything."""
        _no_argument(function, "boot")
        return self._register("boot", ())

    def shutdown(self, function: None = None) -> Callable[[Function], Function]:
        """A function without parameters that runs when a runtime ends; it has 10 seconds."""
        _no_argument(function, "shutdown")
        return self._register("shutdown", ())

    def enter(self, function: None = None) -> Callable[[Function], Function]:
        """A function ``(session)`` that runs once in a session's life, before its first message."""
        _no_argument(function, "enter")
        return self._register("enter", ("session",))

    def exit(self, function: None = None) -> Callable[[Function], Function]:
        """A function ``(session)`` that runs when a session is closed."""
        _no_argument(function, "exit")
        return self._register("exit", ("session",))

    def data(self, name: str, *, access: str = "public") -> Callable[[Function], Function]:
        """A function that answers ``GET …/data/{name}`` with what it returns, as JSON.

        Query parameters become its keyword arguments, as text. A first parameter called ``ctx``, or annotated
        ``cpsl.RequestContext``, gets who asks. ``access`` is ``public`` or ``authenticated``.
        """

        def register(function: Function) -> Function:
            self.handlers.add_data(DataHandler.of(name, access, function))
            return function

        return register

    def _register(self, hook: str, parameters: tuple[str, ...]) -> Callable[[Function], Function]:
        def register(function: Function) -> Function:
            setattr(self.handlers, hook, Handler.of(f"@app.{hook}()", function, parameters))
            return function

        return register

    # --- what it needs --------------------------------------------------------------------------------------------

    def collection(
        self,
        name: str,
        *,
        columns: Iterable[Column] | None = None,
        scope: str = "app",
        sortable: bool = False,
        filterable: bool = False,
        paginate: int = 0,
    ) -> CollectionRef:
        """Declare a collection of documents. ``scope``: ``app``, ``user``, ``owner`` or ``session``.

        The other parameters say how a page shows it. Raises InvalidRequest for a name declared twice differently.
        """
        reference = CollectionRef(name, scope, columns)
        known = self.collections.setdefault(name, reference)
        if known.scope != scope:
            raise invalid(
                f"The collection {name!r} is declared with the scopes {known.scope!r} and {scope!r}",
                "Declare it once, or use two names",
                "invalid_collection_use",
            )
        return known

    def add_integration(
        self,
        integration_type: str | Integration | IntegrationConfig,
        *,
        client_id: Secret | str = "",
        client_secret: Secret | str = "",
        scopes: Iterable[str] | None = None,
        fields: Iterable[str] | None = None,
        authorize_url: str = "",
        token_url: str = "",
        revoke_url: str = "",
        issuer: str = "",
    ) -> None:
        """Declare an integration that the app may ask its users for.

        OAuth needs ``client_id`` and ``client_secret`` as secrets; ``aws`` and ``tailscale`` are forms that need
        nothing; ``fields=[…]`` makes a form of your own. A provider of another name needs ``authorize_url`` and
        ``token_url``, by https, and may have a ``revoke_url`` (RFC 7009) and an ``issuer`` (RFC 9207).
        Raises InvalidRequest (a ValueError) that says what to do.
        """
        endpoints = {"authorize_url": authorize_url, "token_url": token_url, "revoke_url": revoke_url, "issuer": issuer}
        config = _config(integration_type, client_id, client_secret, scopes, fields, endpoints)
        spec = config.spec()
        if spec.type in self.integrations:
            raise invalid(
                f"The integration {spec.type!r} is declared twice",
                "Declare it once, with all its scopes or fields",
                "invalid_integration",
            )
        self.integrations[spec.type] = spec

    def spec(self) -> AppSpec:
        """All that the app declares, as it travels."""
        return AppSpec(
            name=self.name,
            image=self.image.spec(),
            channels=[channel.spec() for channel in self.channels],
            secrets=list(self.secrets),
            references=[name for name in secrets_named.named() if name not in self.secrets],
            mounts=[MountSpec(path, mounted.name) for path, mounted in self.filesystems.items()],
            integrations=list(self.integrations.values()),
            data=[handler.spec() for handler in self.handlers.data.values()],
            collections=[collection.spec() for collection in self.collections.values()],
            keep_warm_seconds=self.keep_warm_seconds,
            cpu=self.cpu,
            memory=self.memory,
            gpu=self.gpu,
            price=self.price,
            pricing_type=self.pricing_type,
            description=self.description,
            has_exit=self.handlers.exit is not None,
        )

    def __repr__(self) -> str:
        return f"App({self.name!r})"


def _config(
    kind: str | Integration | IntegrationConfig,
    client_id: Secret | str,
    client_secret: Secret | str,
    scopes: Iterable[str] | None,
    fields: Iterable[str] | None,
    endpoints: dict[str, str],
) -> IntegrationConfig:
    if not isinstance(kind, IntegrationConfig):
        name = integration_name(kind)
        wanted = _listed(scopes, "scopes") or []
        return IntegrationConfig(name, client_id, client_secret, wanted, _listed(fields, "fields"), **endpoints)
    if client_id or client_secret or scopes is not None or fields is not None or any(endpoints.values()):
        raise invalid(
            f"The integration {kind.type!s} is given with more parameters beside it",
            "Put all of them into the one constructor, like cpsl.GitHub(client_id=…, client_secret=…, scopes=[…])",
            "invalid_integration",
        )
    return kind


def _listed(values: Iterable[str] | None, parameter: str) -> list[str] | None:
    if isinstance(values, str):
        raise invalid(f"{parameter} must be a list", f'Write {parameter}=["{values}"]', "invalid_integration")
    return None if values is None else list(values)


def _no_argument(given: object, decorator: str) -> None:
    if callable(given):
        raise _app_error(f"@app.{decorator} needs parentheses", f"Write @app.{decorator}() above the function")
    if given is not None:
        raise _app_error(f"@app.{decorator}() takes no name", "An app has one such function")


def _channels(channels: Iterable[AnyChannel] | None) -> list[AnyChannel]:
    listed = list(_iterable(channels, "channels", 'channels=[cpsl.Channel("my-bot")]'))
    for channel in listed:
        _instance(channel, (ChannelRef, Chat, API, _Inline), "each channel", 'cpsl.Channel("my-bot")')
    return listed


def _secrets(secrets: Iterable[str | Secret] | None) -> list[str]:
    listed = _iterable(secrets, "secrets", 'secrets=["OPENAI_API_KEY"]')
    names = [item.name if isinstance(item, Secret) else check_secret_name(item) for item in listed]
    return list(dict.fromkeys(names))


def _names(values: Iterable[str] | None, parameter: str) -> list[str]:
    listed = list(_iterable(values, parameter, f'{parameter}=["one"]'))
    for value in listed:
        _instance(value, str, f"each of {parameter}", '"one"')
    return listed


def _filesystems(filesystems: Mapping[str, FileSystem] | None) -> dict[str, FileSystem]:
    example = 'filesystems={"/data": cpsl.FileSystem("reports")}'
    mounts = dict(_instance(filesystems or {}, Mapping, "filesystems", example))
    for path, mounted in mounts.items():
        check_mount_path(path)
        _instance(mounted, FileSystem, f"filesystems[{path!r}]", 'cpsl.FileSystem("reports")')
        if any(other.startswith(f"{path}/") for other in mounts):
            raise _app_error(f"A filesystem cannot be mounted inside another, at {path}", "Use paths beside each other")
    return mounts


def _iterable(values: Any, parameter: str, example: str) -> Iterable[Any]:
    if values is None:
        return []
    if isinstance(values, (str, Mapping)) or not isinstance(values, Iterable):
        raise _app_error(f"{parameter} must be a list, not {type(values).__name__}", f"Write it like {example}")
    return values


def _instance(value: Any, kind: type[Any] | tuple[type[Any], ...], parameter: str, example: str) -> Any:
    if isinstance(value, kind):
        return value
    raise _app_error(f"{parameter} cannot be {type(value).__name__}", f"Write it like {example}")


def _whole(value: int, parameter: str, least: int, most: int) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
        return value
    raise _app_error(f"{parameter} cannot be {value!r}", f"Use a whole number from {least} to {most}")


def _cpu(value: float) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= 256:
        return float(value)
    raise _app_error(f"cpu cannot be {value!r}", "Use a number of cores above 0, up to 256, like 0.25")


def _gpu(value: str | None) -> str | None:
    if value is None or (isinstance(value, str) and _GPU.match(value)):
        return value
    raise _app_error(f"gpu cannot be {value!r}", 'Use a model, and a number if you need several: "T4" or "A100:2"')


def _pricing_type(value: str) -> str:
    if value in _PRICING:
        return value
    raise _app_error(f"pricing_type cannot be {value!r}", f"Use one of {', '.join(_PRICING)}")


def _app_error(problem: str, advice: str) -> ValueError:
    return invalid(problem, advice, "invalid_app")
