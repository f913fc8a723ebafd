"""A gateway as an object: its parts, put together in the order they need each other."""

from __future__ import annotations

import asyncio

from cpsl.engine.local import LocalEngine
from cpsl.gateway.accounts.devices import Devices
from cpsl.gateway.accounts.service import Accounts
from cpsl.gateway.apps.deployments import Deployments
from cpsl.gateway.apps.deploys import Deploys
from cpsl.gateway.apps.importing import Importer
from cpsl.gateway.apps.inventory import Inventory
from cpsl.gateway.apps.logs import AppLogs
from cpsl.gateway.apps.restarts import Restarts
from cpsl.gateway.apps.retention import Retention
from cpsl.gateway.apps.rollbacks import Rollbacks
from cpsl.gateway.apps.service import Apps
from cpsl.gateway.bell import Bell
from cpsl.gateway.channels.service import Channels
from cpsl.gateway.chats.data import Data
from cpsl.gateway.chats.host import GatewayHost
from cpsl.gateway.chats.prompts import Prompts
from cpsl.gateway.chats.running import Runner
from cpsl.gateway.chats.sessions import Sessions
from cpsl.gateway.chats.turns import Turns
from cpsl.gateway.collections.service import Collections
from cpsl.gateway.db.database import Database
from cpsl.gateway.db.migrate import migrate
from cpsl.gateway.db.reserve import Reserve
from cpsl.gateway.files.service import FileSystems, UserFiles
from cpsl.gateway.files.uploads.service import Uploads
from cpsl.gateway.http.repeats import Repeats
from cpsl.gateway.integrations.connecting.browsers import Browsers
from cpsl.gateway.integrations.flows import Flows
from cpsl.gateway.integrations.providers import Providers
from cpsl.gateway.integrations.service import Integrations
from cpsl.gateway.integrations.states import States
from cpsl.gateway.integrations.tokens import Clients, Tokens
from cpsl.gateway.people.openid.flow import OpenIdSignIn
from cpsl.gateway.people.openid.providers import OpenIdProviders
from cpsl.gateway.people.recovery import Recovery
from cpsl.gateway.people.service import People
from cpsl.gateway.people.signing import Signing
from cpsl.gateway.secrets.redaction import Redactions
from cpsl.gateway.secrets.service import Secrets
from cpsl.gateway.settings import Settings
from cpsl.gateway.users.cookies import Signer
from cpsl.gateway.users.letters import Letters
from cpsl.gateway.users.mail import Mailer, smtp_of
from cpsl.gateway.users.rates import Rates
from cpsl.gateway.users.service import Users
from cpsl.gateway.vault import Key, Vault


class Gateway:
    """The parts of one gateway. ``open`` before it serves, ``close`` after; ``closing`` tells streams to end."""

    def __init__(self, settings: Settings, master_key: Key, bootstrap_secret: str) -> None:
        self.settings = settings
        self.closing = Bell()
        self.repeats = Repeats()
        self.is_ready = False
        self.reserve = Reserve(settings.data_dir / "reserve")
        self.db = Database(settings.database, self.reserve.release)
        self.accounts = Accounts(self.db, Vault(master_key), bootstrap_secret)
        self.users = Users(self.db, Signer(master_key.derived("browsers")))
        self.devices = Devices(self.db, self.accounts, settings.url)
        self.secrets = Secrets(self.db, self.accounts)
        self.filesystems = FileSystems(self.db, settings.data_dir / "fs")
        self.uploads = Uploads(settings.data_dir / "uploads", settings.max_file_bytes)
        self.user_files = UserFiles(self.db, settings.data_dir / "files")
        self.channels = Channels(self.db, self.accounts)
        self.redactions = Redactions()
        self.app_logs = AppLogs(self.db, self.redactions)
        self.integrations = Integrations(self.accounts)
        self.collections = Collections(self.db)
        self.engine = LocalEngine(
            settings.data_dir / "images", start_timeout=settings.start_timeout, idle_timeout=settings.idle_timeout
        )
        self.apps = Apps(
            self.db, self.engine, self.secrets, self.filesystems, self.user_files, self.redactions, settings
        )
        self.browsers = Browsers(self.users.signer, settings)
        self.states = States(self.db, self.accounts)
        clients = Clients(self.apps, Providers.configured(settings.providers_file), settings)
        self.flows = Flows(self.apps, self.states, clients)
        self.tokens = Tokens(self.db, self.integrations, clients)
        self.restarts = Restarts(self.apps, self.secrets, self.engine, self.app_logs)
        self.retention = Retention(self.db, self.engine, self.apps, self.redactions, settings.keep_versions)
        self.importer = Importer(self.engine, self.secrets, self.redactions)
        self.inventory = Inventory(self.secrets, self.filesystems, self.channels)
        self.deployments = Deployments(self.db, self.apps, settings.heartbeat)
        self.deploys = Deploys(
            self.deployments,
            self.apps,
            self.secrets,
            self.inventory,
            self.importer,
            self.restarts,
            self.retention,
            settings,
        )
        self.rollbacks = Rollbacks(
            self.apps, self.inventory, self.importer, self.restarts, self.retention, self.app_logs
        )
        self.runner = Runner(
            self.db,
            self.engine,
            self.apps,
            self.integrations,
            self.tokens,
            self.app_logs,
            settings.turn_timeout,
        )
        self.turns = Turns(self.db, self.apps, self.integrations, self.runner)
        self.prompts = Prompts(
            self.db, self.runner, self.integrations, self.tokens, self.filesystems, self.user_files, settings
        )
        self.sessions = Sessions(self.db, self.apps, self.runner)
        self.data = Data(self.db, self.runner, self.integrations, self.tokens, self.app_logs, settings.turn_timeout)
        self.mailer = Mailer(smtp_of(settings))
        rates, letters = Rates(), Letters(self.mailer, settings.url)
        self.signing = Signing(self.db, self.users, self.accounts, self.runner, letters, rates)
        self.recovery = Recovery(self.db, self.engine, self.signing.passwords, letters, rates)
        self.openid = OpenIdSignIn(
            self.db, self.states, self.signing, OpenIdProviders.configured(settings.sign_in_file), settings
        )
        self.people = People(self.db, self.apps, self.users, self.runner, self.engine, self.tokens, self.user_files)
        self.engine.serve(
            GatewayHost(
                self.apps,
                self.runner,
                self.prompts,
                self.collections,
                self.user_files,
                self.app_logs,
                self.users,
            )
        )

    async def open(self) -> None:
        """Bring the store up to date, and take up what an earlier gateway left unfinished."""
        await asyncio.to_thread(migrate, self.db.engine)
        await asyncio.to_thread(self.reserve.hold)
        await self.accounts.set_up()
        await self.apps.sweep()
        await self.deployments.recover()
        await self.user_files.sweep()
        await asyncio.to_thread(self.uploads.sweep)
        await self.turns.recover(self.prompts.hold)
        self.retention.tidy()
        self.is_ready = True

    async def close(self) -> None:
        """Let what runs end, within ``drain_timeout`` seconds; then stop it."""
        self.closing.ring()
        self.is_ready = False
        await self.deploys.close(self.settings.drain_timeout)
        await self.retention.close()
        await self.runner.close(self.settings.drain_timeout)
        await self.engine.close(self.settings.drain_timeout)
        await self.app_logs.close()
        await self.mailer.close(self.settings.drain_timeout)
        await asyncio.to_thread(self.db.close)
