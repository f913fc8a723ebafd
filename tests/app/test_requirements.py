from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cpsl
from cpsl import errors

FILES = {
    "base.txt": "urllib3\n-r more/extra.txt\n",
    "more/extra.txt": "idna  # beside it\n-r ../leaf.txt\n",
    "leaf.txt": "six\n",
    "limits.txt": "--index-url https://pkgs.example.org/simple\nurllib3<3\nsix==1.16.0 ; python_version < '4'\n",
    "loop.txt": "-r loop2.txt\n",
    "loop2.txt": "-r loop.txt\n",
}
HASH = "--hash=sha256:" + "0" * 64


def read(folder: Path, text: str) -> list[str]:
    for name, content in {**FILES, "requirements.txt": text}.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(content)
    return cpsl.Image(python_packages=folder / "requirements.txt").python_packages


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", []),
        ("# only a comment\n\n   \n", []),
        ("\ufeffsix\r\nidna\r\n", ["six", "idna"]),
        ("six  # why\n\t# indented\n", ["six"]),
        ("httpx[http2,socks]>=0.28,<1\n", ["httpx[http2,socks]>=0.28,<1"]),
        ("tomli>=2 ; python_version < '3.11'\n", ["tomli>=2 ; python_version < '3.11'"]),
        ("six==1.16.0 \\\n    " + HASH + " \\\n    " + HASH + "\nidna\n", [f"six==1.16.0 {HASH} {HASH}", "idna"]),
        ("six \\\n# a comment ends it\nidna\n", ["six", "idna"]),
        ("six\\\n", ["six"]),
        ("pkg @ https://example.org/pkg-1.0-py3-none-any.whl#sha256=00\n",) * 2,
        ("https://example.org/pkg-1.0.tar.gz\n",) * 2,
        ("pkg @ git+https://example.org/pkg.git@v1 ; sys_platform == 'linux'\n",) * 2,
        ("-r base.txt\n", ["urllib3", "idna", "six"]),
        ("--requirement=leaf.txt\n-rleaf.txt\n", ["six", "six"]),
        (
            "-c limits.txt\nurllib3\n",
            [
                "--index-url https://pkgs.example.org/simple",
                "--constraint urllib3<3",
                "--constraint six==1.16.0 ; python_version < '4'",
                "urllib3",
            ],
        ),
        ("-i https://a.example/simple\n", ["--index-url https://a.example/simple"]),
        ("--extra-index-url 'https://a.example/s'\n", ["--extra-index-url https://a.example/s"]),
        ("-f https://a.example/links\n--no-index\n", ["--find-links https://a.example/links", "--no-index"]),
        ("--pre\n--require-hashes\n--prefer-binary\n", ["--pre", "--require-hashes"]),
        ("--no-binary :all:\n--only-binary=numpy\n", ["--no-binary :all:", "--only-binary numpy"]),
    ],
)
def test_a_requirements_file_is_read_as_pip_reads_it(tmp_path: Path, text: str, lines: list[str] | str) -> None:
    assert read(tmp_path, text) == ([lines.strip()] if isinstance(lines, str) else lines)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("-e .", "another machine"),
        ("-e git+https://example.org/pkg.git#egg=pkg", "another machine"),
        ("--editable=./lib", "another machine"),
        ("./lib", "this machine"),
        ("../lib[extra]", "this machine"),
        ("/srv/wheels/pkg-1.0-py3-none-any.whl", "this machine"),
        ("pkg-1.0-py3-none-any.whl", "this machine"),
        ("pkg @ file:///srv/pkg.whl", "this machine"),
        ("pkg @ ./pkg.whl", "this machine"),
        ("file:///srv/pkg.whl", "this machine"),
        ("C:\\wheels\\pkg.whl", "this machine"),
        ("--find-links ./wheels", "this machine"),
        ("--index-url file:///srv/simple", "this machine"),
        ("-r https://example.org/requirements.txt", "network"),
        ("-r loop.txt", "leads to itself: requirements.txt -> loop.txt -> loop2.txt -> loop.txt"),
        ("-r requirements.txt", "leads to itself"),
        ("--index-url https://${USER}:x@example.org/simple", "environment variable"),
        ("six --config-settings=a=b", "--config-settings"),
        ("--use-feature=fast-deps", "not understood"),
        ("--index-url", "not understood"),
        ("--find-links 'https://example.org", "quotation mark"),
        ("two words", "no requirement"),
        ("six#no-comment-without-a-space", "no requirement"),
        ("=1.0", "no requirement"),
    ],
)
def test_what_another_machine_could_not_install_is_refused(tmp_path: Path, line: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as caught:
        read(tmp_path, f"six\n{line}\n")
    assert isinstance(caught.value, errors.InvalidRequest)
    assert caught.value.code == "invalid_image"


def test_lines_in_code_are_held_to_the_same() -> None:
    image = cpsl.Image(python_packages=["openai>=1", "--extra-index-url https://a.example/simple"])
    assert image.python_packages == ["openai>=1", "--extra-index-url https://a.example/simple"]
    for line in ("-e .", "./lib", "-r requirements.txt", "-c limits.txt", ""):
        with pytest.raises(errors.InvalidRequest):
            image.add_python_packages([line])


def test_a_file_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read(tmp_path, "-r missing.txt\n")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(errors.InvalidRequest, match=r"binary\.txt is not text"):
        read(tmp_path, "-r binary.txt\n")


def test_the_examples_of_the_documentation() -> None:
    text = (Path(__file__).parents[2] / "docs" / "images.md").read_text()
    blocks = [block.partition("```")[0] for block in text.split("```python\n")[1:]]
    names: list[dict[str, Any]] = [{} for _ in blocks]
    for block, found in zip(blocks, names, strict=True):
        exec(compile(block, "docs/images.md", "exec"), found)
    assert names[0]["app"].spec().image.python_packages == ["pypdf>=5", "rich"]
    assert names[1]["image"].spec().commands == ["dot -c"]


PACKAGES = st.from_regex(r"[a-z][a-z0-9]{0,8}(==[0-9]{1,2}\.[0-9])?", fullmatch=True)
COMMENTS = st.sampled_from(["", "  # note", "\t# -r nowhere.txt"])
GAPS = st.sampled_from(["", "\n", "   \n", "# a line of its own\n", "#\\\n"])
BREAKS = st.sampled_from([" ", " \\\n  ", "\t\\\n"])


@given(st.lists(st.tuples(PACKAGES, st.lists(st.just(HASH), max_size=2), BREAKS, COMMENTS, GAPS), max_size=5))
def test_layout_means_nothing(entries: list[tuple[str, list[str], str, str, str]]) -> None:
    text = "".join(
        f"{gap}{broken.join([package, *hashes])}{comment}\n" for package, hashes, broken, comment, gap in entries
    )
    with tempfile.TemporaryDirectory() as folder:
        assert read(Path(folder), text) == [" ".join([package, *hashes]) for package, hashes, *_ in entries]
