"""The worked example of channels, integrations and secrets, put together from its pieces."""

import cpsl

app = cpsl.App(
    name="mailbox",
    image=cpsl.Image(),
    channels=[cpsl.Channel("support-telegram")],
    secrets=["MAILBOX_KEY"],
)

app.add_integration(
    "gmail",
    client_id=cpsl.Secret.from_name("GOOGLE_OAUTH_CLIENT_ID"),
    client_secret=cpsl.Secret.from_name("GOOGLE_OAUTH_CLIENT_SECRET"),
    scopes=["https://www.googleapis.com/auth/gmail.readonly"],
)
app.add_integration("aws")
threads = app.collection("threads")


@app.data("threads", access="authenticated")
async def get_threads(ctx: cpsl.RequestContext):
    gmail = ctx.integrations.get("gmail")
    if not gmail:
        return {"threads": [], "gmail_connected": False}

    return {"threads": await threads.find(limit=50), "gmail_connected": True}


@app.data("region", access="authenticated")
async def region(ctx: cpsl.RequestContext):
    aws = ctx.integrations.get("aws")
    return {"region": aws.fields["region"] if aws else None}


@app.message()
async def handle(session: cpsl.Session, msg: cpsl.Message):
    cred = await session.prompt_integration("aws", reason="Need AWS")
    await session.reply(f"{len(cpsl.Secret.from_name('MAILBOX_KEY').value)} {cred.fields['region']}")
