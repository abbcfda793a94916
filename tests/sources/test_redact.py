"""Secrets in command lines."""

from __future__ import annotations

import base64
import string
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bongsu.sources.redact import MASK, masked, masked_line

LETTERS = string.ascii_letters + string.digits


def random_word(least: int, most: int, alphabet: str = LETTERS) -> st.SearchStrategy[str]:
    """Words as a random generator makes them, drawn from a seed so that they do not shrink to `aaaa`."""
    import random

    return st.builds(
        lambda seed, size: "".join(random.Random(seed).choices(alphabet, k=size)),
        st.integers(0, 2**64), st.integers(least, most),
    )  # fmt: skip


SECRET = st.one_of(
    random_word(8, 40),
    random_word(8, 24, LETTERS + "!#$%^*().<>?~"),
    st.sampled_from(["hunter2!", "correct-horse", "p@ssw0rd", "letmein.", "=odd=one", "x:y:z:w1", "a/b/c/d9"]),
)
NAME = st.sampled_from(
    [
        "password", "passwd", "db-password", "DB_PASSWORD", "PGPASSWORD", "token", "hf_token", "HF-TOKEN", "apiKey",
        "api-key", "API_KEY", "aws_secret_access_key", "AWS_SECRET_ACCESS_KEY", "clientSecret", "client_secret",
        "jwt", "credentials", "spark.ssl.keyPassword", "WANDB_API_KEY", "accessToken", "auth-token", "passphrase",
        "GITHUB_TOKEN", "slurmdbd.StoragePass", "MYSQL_PWD", "private_token", "signature", "Cookie", "pw", "dsn",
    ]
)  # fmt: skip
KNOWN = st.one_of(
    random_word(16, 16, string.ascii_uppercase + string.digits).map(lambda w: f"AKIA{w}"),
    random_word(36, 36).map(lambda w: f"ghp_{w}"),
    random_word(34, 34).map(lambda w: f"hf_{w}"),
    random_word(40, 48).map(lambda w: f"sk-{w}"),
    random_word(24, 24).map(lambda w: f"xoxb-{w}"),
    random_word(20, 20).map(lambda w: f"glpat-{w}"),
    random_word(40, 40, "0123456789abcdef"),
    random_word(40, 40, LETTERS + "/+").filter(lambda w: any(c.isdigit() for c in w)),
    random_word(12, 40).map(lambda w: "eyJ" + base64.urlsafe_b64encode(w.encode()).decode().rstrip("=") + "." + w),
)
WHERE_NAMED = [
    ["tool", "--{n}={s}"], ["tool", "--{n}", "{s}"], ["tool", "-{n}", "{s}"], ["env", "{n}={s}", "tool"],
    ["java", "-D{n}={s}"], ["bash", "-c", "export {n}={s}; run"], ["bash", "-c", "run --{n} {s} --fast"],
    ["bash", "-c", "run --{n} '{s}' x"], ["tool", '{{"{n}": "{s}", "a": 1}}'], ["curl", "https://h/p?a=1&{n}={s}"],
    ["python", "-c", 'import os; os.environ["{n}"]="{s}"; run()'], ["python", "-c", "os.environ['{n}'] = '{s}'"],
    ["bash", "-c", "curl 'https://u@h/p?{n}={s}'"], ["tool", "--set", "a.b=c,{n}={s}"],
]  # fmt: skip
WHERE_ANY = [
    ["curl", "https://user:{s}@host/path"], ["curl", "-H", "Authorization: Bearer {s}"], ["mysql", "-p{s}"],
    ["curl", "-H", "Authorization: {s}"], ["bash", "-c", "curl -H 'Authorization: Basic {s}' h"],
    ["sshpass", "-p", "{s}", "ssh", "h"], ["/usr/bin/curl", "-u", "me:{s}", "https://h"], ["redis-cli", "-a", "{s}"],
    ["http", "-a", "me:{s}", "https://h"], ["lftp", "-u", "me,{s}", "h"], ["twine", "upload", "-p", "{s}", "d"],
    ["az", "login", "--service-principal", "-u", "x", "-p", "{s}"], ["openssl", "enc", "-k", "{s}"],
    ["tool", "--user=me:{s}"], ["tool", "-u", "me:{s}"], ["tool", "run", "--proxy-user", "me:{s}"],
    ["openssl", "rsa", "-passin", "pass:{s}"], ["ldapsearch", "-w", "{s}"], ["7z", "a", "-p{s}", "x.7z"],
]  # fmt: skip


@given(NAME, SECRET, st.sampled_from(WHERE_NAMED))
@settings(max_examples=400)
def test_named_secrets_are_masked(name: str, secret: str, where: list[str]) -> None:
    """The value of a flag, variable or field with a telling name never comes through."""
    if any(c in secret for c in " '\",;&}<>") and where[0] != "tool":
        return  # the shell or JSON would end the value there
    if any(c in secret for c in "'\",;&}"):
        return
    words = [w.format(n=name, s=secret) for w in where]
    assert secret not in masked_line("\0".join(words).encode())


@given(SECRET, st.sampled_from(WHERE_ANY))
@settings(max_examples=400)
def test_secrets_in_known_places_are_masked(secret: str, where: list[str]) -> None:
    """User information of URLs, authorization headers and programs' short flags never come through."""
    if any(c in secret for c in "'\"/@ ") and "://" in "".join(where):
        return  # those characters cannot stand there unescaped
    words = [w.format(s=secret) for w in where]
    assert secret not in masked_line("\0".join(words).encode())


@given(KNOWN, st.sampled_from([["tool", "{}"], ["tool", "-x", "{}"], ["bash", "-c", "tool {} y"], ["tool", "x={}"]]))
@settings(max_examples=400)
def test_tokens_are_known_by_their_shape(token: str, where: list[str]) -> None:
    """Well-known tokens, hexadecimal keys and AWS secrets are masked wherever they stand."""
    assert token not in " ".join(masked([w.format(token) for w in where]))


def test_random_words_are_masked() -> None:
    """Of words that a random generator made, at least 95 of 100 are masked without any name to tell them."""
    import random

    for size in (20, 24, 32, 43, 64):
        made = ["".join(random.Random(seed).choices(LETTERS, k=size)) for seed in range(500)]
        hidden = sum(MASK in masked(["tool", word])[1] for word in made)
        assert hidden >= 475, (size, hidden)


@pytest.mark.parametrize(
    "line",
    [
        "python train.py --model meta-llama/Meta-Llama-3-8B-Instruct --max-tokens 4096 --tokenizer gpt2 --lr 3e-4",
        "torchrun --nnodes=2 --rdzv_endpoint=node1:29500 train.py --output=/data/run_2024_01_02T03_04_05",
        "/usr/lib/jvm/java-17-openjdk-amd64/bin/java -cp a.jar:b.jar org.apache.spark.executor.CoarseGrainedExecutor",
        "sshd: root@pts/0", "nginx: worker process", "postgres: main app 10.0.0.1(5432) idle in transaction",
        "vllm serve Qwen/Qwen2.5-72B-Instruct-GPTQ-Int4 --tensor-parallel-size 8",
        "nvidia-smi -i GPU-3f2a1b4c-1234-5678-9abc-def012345678", "/usr/sbin/sshd -D -o KeyRegenerationInterval=0",
        "tool --token-file=/run/secrets/token --key=/etc/ssl/a.pem --password-file /etc/pw", "bash PWD=/home/alice",
        "ssh -i /home/alice/.ssh/id_ed25519 git@host", "rsync -av /a/b/c/d host:/x/y/z", "", "sleep 10", "docker run --user 1000:1000 img",
        "docker run --user=1000:1000 -u 7:7 img",
        "/opt/miniconda3/envs/py311_torch240/bin/python -m ipykernel_launcher -f /run/user/1000/kernel.json",
    ],
)  # fmt: skip
def test_plain_command_lines_stay(line: str) -> None:
    """What holds no secret is shown as it is."""
    assert masked_line(line.replace(" ", "\0").encode() + b"\0") == line


def test_masked_once_more_is_the_same() -> None:
    """Masking what is masked changes nothing."""
    line = masked(["curl", "-H", "Authorization: Bearer abcdefgh", "https://u:p@h/?token=x", "--key", "v"])
    assert masked(line) == line


@given(st.binary(max_size=300))
def test_any_bytes_give_a_text(raw: bytes) -> None:
    """Binary rubbish is no error, and what comes out can be encoded again."""
    masked_line(raw).encode("utf-8", "surrogateescape")


@pytest.mark.parametrize(
    ("script", "shown"),
    [
        ("mysql -u root -pS3C db", "mysql -u root -p*** db"), ("mysql -p db", "mysql -p db"),
        ("curl -u me:'S3C' http://x && ls -p S", "curl -u *** http://x && ls -p S"),
        ("cd x; sshpass  -p S3C ssh h", "cd x; sshpass  -p *** ssh h"), ("(curl -u 'a:S3 C' x)", "(curl -u *** x)"),
        ("run(['--api-key', 'S3C'])", "run(['--api-key', ***])"), ("f('--token-file', 'x')", "f('--token-file', 'x')"),
    ],
)  # fmt: skip
def test_programs_in_a_text_are_masked_as_if_started_alone(script: str, shown: str) -> None:
    """`sh -c` and `python -c` hold command lines; what their programs are told is as secret there."""
    assert masked(["sh", "-c", script]) == ["sh", "-c", shown]


@pytest.mark.parametrize(
    "piece", ["a", "a.a-", "eyJ", "a://b:", "x-", "-a ", "a=", '"', "token ", "--a 'b", "key:", "1a", "-----BEGIN "]
)
def test_no_argument_goes_on_for_ever(piece: str) -> None:
    """Arguments made to send a pattern searching back and forth end: a hundred of them are no matter."""
    began = time.thread_time()  # CPU time, which a busy machine hardly changes; what goes on for ever is timed out
    masked(["tool", *[piece * (4096 // len(piece))] * 100])
    assert time.thread_time() - began < 30
