"""An app that takes all it can get of what the message names."""

import asyncio
import os
import time

import cpsl

app = cpsl.App(name="hog", image=cpsl.Image(), memory=512, cpu=0.5, filesystems={"/data": cpsl.FileSystem("hog")})


def eat() -> None:
    eaten = []
    while True:
        eaten.append(bytearray(os.urandom(1024) * 1024))


def fork() -> None:
    while True:
        if os.fork() == 0:
            time.sleep(1000)


def fill(folder: str) -> None:
    with open(f"{folder}/big", "wb") as file:
        while True:
            file.write(b"x" * 1024 * 1024)


def hold_open() -> None:
    held = []
    while True:
        held.append(os.open("/dev/null", os.O_RDONLY))


@app.data("late")
def late():
    time.sleep(3600)


@app.message()
async def handle(session: cpsl.Session, msg: cpsl.Message):
    if msg.text == "eat":
        eat()
    elif msg.text == "eat in a child":
        child = os.fork()
        if child == 0:
            eat()
        await session.reply(f"child ended with {os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}")
    elif msg.text == "fork":
        fork()
    elif msg.text == "fill":
        fill("/dev/shm")
    elif msg.text == "fill the disk":
        fill("/data")
    elif msg.text == "open":
        hold_open()
    elif msg.text == "spin":
        await session.reply("spinning")
        await asyncio.sleep(0)
        while True:
            pass
    elif msg.text == "print":
        await session.reply("printing")
        while True:
            print("x" * 100)
    elif msg.text == "sync":
        await session.reply("sleeping")
        await asyncio.to_thread(time.sleep, 60)
    else:
        await session.reply(f"You said: {msg.text}")
