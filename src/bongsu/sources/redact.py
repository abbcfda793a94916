"""Masks what looks like a secret in a command line; when in doubt it masks too much."""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from collections.abc import Sequence

MASK = "***"

# A name holds a secret if one of its parts is a strong word (DB_PASSWORD, --hf-token, spark.ssl.keyPassword), or a
# weak one and the value is no path; not if it ends in what describes a secret (--token-file).
_STRONG = frozenset({
    "password", "passwd", "passphrase", "passcode", "pass", "pw", "pwd", "secret", "secrets", "token", "credential",
    "credentials", "cred", "creds", "cookie", "bearer", "jwt", "apikey", "signature", "otp", "psk", "totp", "dsn",
})  # fmt: skip
_STRONG_ENDINGS = ("password", "passwd", "passphrase", "secret", "token", "credentials", "apikey")  # PGPASSWORD
_WEAK = frozenset({
    "key", "auth", "authorization", "pin", "pat", "sig", "sas", "session",
})  # fmt: skip
_HARMLESS_ENDINGS = frozenset({
    "file", "files", "path", "paths", "dir", "directory", "name", "names", "type", "url", "uri", "endpoint",
    "length", "len", "size", "limit", "count", "ttl", "expiry", "expiration", "policy", "store", "env", "format",
    "header", "field", "column", "algorithm", "interval", "timeout",
    "rotation", "lifetime",
})  # fmt: skip
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")

# The expressions below start only where a run of name characters starts and never give back what they
# took, so that no argument, however made, costs more than a few passes over it.
_NAMED = re.compile(r"(?<![\w.\-])([\w.\-]++)(?:[\"']\]?)?\s*+(?:=|:=|:(?!//))\s*+")  # also environ["X"]="…"
_SPACED = re.compile(r"(?<![\w.\-])(--?[\w.\-]++)(?:\s++|[\"']\s*+,\s*+)")  # also in a list: '--token', 'x'
_TOKENS = re.compile(r"\"[^\"]*\"?|'[^']*'?|[;|&()\n]+|[^\S\n]+|[^\s\"';|&()]+")
_VALUE = re.compile(r"\"[^\"]*\"?|'[^']*'?|[^\s\"',;&}]+")
_WHOLE = re.compile(r"([\w.\-/]++)(=|:(?!//))(.+)", re.DOTALL)
_FLAG = re.compile(r"[-/]{1,2}[\w.\-]+")
_LONG_FLAG = re.compile(r"--[a-z][a-z-]*(?:=|$)")
_HEADER = re.compile(r"(?i)\b(authorization|cookie|private-token|api-key)(\s*+:\s*+)([^\r\n\"']+)")
_SCHEME = re.compile(r"(?i)\b(bearer|basic|digest|negotiate|token|apikey)(\s++)([\w.~+/=\-]{6,})")
_USERINFO = re.compile(r"(?<![a-zA-Z0-9+.\-])([a-zA-Z][a-zA-Z0-9+.\-]*+://[^\s/@:\"']*+:)[^\s\"']*@")
_USER_ONLY = re.compile(r"(?<![a-zA-Z0-9+.\-])([a-zA-Z][a-zA-Z0-9+.\-]*+://)[^\s/@:\"']{16,}@")
_USER_FLAGS = frozenset({"-u", "--user", "--username", "--proxy-user", "--http-user"})
_PAIR = re.compile(
    r"([\w.@\-]++:)(?!\d+$)(.+)", re.DOTALL
)  # of a user's name and password; not of numbers, as containers have
_OPENSSL = re.compile(r"\b(pass:)\S+")
_KNOWN = re.compile(
    r"(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16}"  # AWS access key ids
    r"|gh[pousr]_[A-Za-z0-9]{16,}|github_pat_\w{20,}|glpat-[\w\-]{16,}|hf_[A-Za-z0-9]{16,}|npm_[A-Za-z0-9]{16,}"
    r"|sk-[\w\-]{16,}|xox[abeoprs]-[\w\-]{10,}|AIza[\w\-]{30,}|ya29\.[\w\-.]{10,}|pypi-[\w\-]{16,}|dop_v1_\w{16,}"
    r"|eyJ[\w\-]{8,}\.[\w\-]{4,}(?:\.[\w\-]*)?"  # JSON web tokens (RFC 7519)
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)",
    re.DOTALL,
)
_HEX = re.compile(r"(?<![0-9A-Za-z])[0-9a-fA-F]{32,}(?![0-9A-Za-z])")
_BASE64 = re.compile(r"(?<![\w/+.\-])[A-Za-z0-9/+]{38,}={0,2}(?![\w/+=.\-])")
_WORD = re.compile(r"[A-Za-z0-9_\-]{16,}={0,2}")
_RUN = re.compile(r"[A-Za-z0-9]{16,}")

# Short flags that carry a secret as the next argument, by program.
_SHORT = {
    "curl": ("-u", "--user", "-U", "--proxy-user", "-b"), "redis-cli": ("-a",), "ldapsearch": ("-w",),
    "ldapmodify": ("-w",), "ldapadd": ("-w",), "ldapwhoami": ("-w",), "sshpass": ("-p",), "smbclient": ("-U",),
    "mosquitto_pub": ("-P",), "mosquitto_sub": ("-P",), "ipmitool": ("-P",), "zip": ("-P",), "unzip": ("-P",),
    "mongosh": ("-p",), "mongo": ("-p",), "mongodump": ("-p",), "sqlcmd": ("-P",), "bcp": ("-P",), "docker": ("-p",),
    "podman": ("-p",), "net": ("-U",), "rpcclient": ("-U",), "snmpget": ("-A", "-X", "-c"),
    "snmpwalk": ("-A", "-X", "-c"), "http": ("-a",), "https": ("-a",), "xh": ("-a",), "lftp": ("-u",), "az": ("-p",),
    "twine": ("-p",), "openssl": ("-k", "-K"),
}  # fmt: skip
# The same, glued to the flag.
_GLUED = {
    "mysql": "-p", "mysqldump": "-p", "mysqladmin": "-p", "mariadb": "-p", "mariadb-dump": "-p", "sshpass": "-p",
    "7z": "-p", "7za": "-p", "7zr": "-p", "rar": "-hp", "unrar": "-p", "curl": "-u", "ldapsearch": "-w",
    "sqlcmd": "-P", "xfreerdp": "/p:", "redis-cli": "-a",
}  # fmt: skip


def masked_line(raw: bytes) -> str:
    """The command line as one text, from /proc/PID/cmdline as it lies there: arguments that end in NULs.

    Bytes that are not UTF-8 become lone surrogates. A program that rewrote its arguments into one
    text (setproctitle) is masked within that text.
    """
    return " ".join(masked(raw.rstrip(b"\0").decode("utf-8", "surrogateescape").split("\0")))


def masked(arguments: Sequence[str]) -> list[str]:
    """The arguments with each thing that looks like a secret replaced by ``***``.

    Known by the name of the flag or variable before it, by the program's own short flags, by the
    shape of well-known tokens, as user information or parameter of a URL, as an HTTP header, or by
    looking random. The program itself (the first argument) is only searched for tokens.
    """
    program = arguments[0].rpartition("/")[2] if arguments else ""
    short, glued = _SHORT.get(program, ()), _GLUED.get(program)
    found: list[str] = []
    secret_follows = False
    for place, word in enumerate(arguments):
        if secret_follows and not _LONG_FLAG.match(word):
            found.append(MASK)
            secret_follows = False
        elif place and word in short:
            found.append(word)
            secret_follows = True
        elif place > 1 and arguments[place - 1] in _USER_FLAGS and (pair := _PAIR.fullmatch(word)):
            found.append(pair[1] + MASK)
        elif place and glued and word.startswith(glued) and len(word) > len(glued):
            found.append(glued + MASK)
        else:
            found.append(_masked_word(word))
            secret_follows = place > 0 and _FLAG.fullmatch(word) is not None and _is_secret(word, "")
    return found


def _masked_word(word: str) -> str:
    whole = _WHOLE.match(word)
    if whole and _is_secret(whole[1], whole[3]):
        return f"{whole[1]}{whole[2]}{MASK}"
    if whole and whole[1] in _USER_FLAGS and (pair := _PAIR.fullmatch(whole[3])):
        return f"{whole[1]}{whole[2]}{pair[1]}{MASK}"
    if len(word) < 6:
        return word
    word = _KNOWN.sub(MASK, word)
    if "@" in word:
        word = _USERINFO.sub(rf"\1{MASK}@", word)
        word = _USER_ONLY.sub(rf"\1{MASK}@", word)
    word = _HEADER.sub(rf"\1\2{MASK}", word)
    word = _SCHEME.sub(rf"\1\2{MASK}", word)
    word = _OPENSSL.sub(rf"\1{MASK}", word)
    if "=" in word or ":" in word:
        word = _mask_values(_NAMED, word)
    if " " in word or "," in word:
        word = _mask_values(_SPACED, word)
    if " " in word:
        word = _masked_script(word)
    if len(word) >= 16:
        word = _HEX.sub(MASK, word)
        word = _BASE64.sub(lambda m: MASK if _is_base64(m[0]) else m[0], word)
        word = _WORD.sub(lambda m: MASK if any(map(_is_random, _RUN.findall(m[0]))) else m[0], word)
    return word


def _masked_script(text: str) -> str:
    """A text that a shell may be given: what programs in it are told by their own short flags is masked.

    Quoted texts in it are searched too; they nest no deeper than there are kinds of quotes.
    """
    found: list[str] = []
    short: tuple[str, ...] = ()
    glued: str | None = None
    secret = inside = False  # the next word is one; this word is one, and goes on
    before = " "
    for token in _TOKENS.findall(text):
        if token.isspace() or token[0] in ";|&()":
            secret, inside = secret and not inside and token[0] not in ";|&()\n", False
            if token[0] in ";|&()\n":
                short, glued = (), None
            found.append(token)
        elif inside:
            pass  # what was quoted in part
        elif secret or (glued and before == glued):
            found.append(MASK)
            inside = True
        elif glued and token.startswith(glued) and len(token) > len(glued):
            found.append(glued + MASK)
            inside = True
        else:
            program = token.rpartition("/")[2]
            if program in _SHORT or program in _GLUED:
                short, glued = _SHORT.get(program, ()), _GLUED.get(program)
            secret = token in short
            found.append(token[0] + _masked_script(token[1:]) if token[0] in "\"'" and " " in token else token)
        before = token
    return "".join(found)


def _mask_values(names: re.Pattern[str], word: str) -> str:
    """Mask the value after each name of a secret; other values are searched for names in their turn."""
    pieces: list[str] = []
    kept = at = 0
    while name := names.search(word, at):
        at = name.end()
        value = _VALUE.match(word, at)
        if value and _is_secret(name[1], value[0]):
            pieces += (word[kept:at], MASK)
            kept = at = value.end()
    return "".join((*pieces, word[kept:]))


def _is_secret(name: str, value: str) -> bool:
    """Whether the name of a flag, variable or field says that its value is a secret."""
    parts = [part.lower() for part in _PARTS.findall(name.removeprefix("-D"))]  # -D is Java's
    if not parts or parts[-1] in _HARMLESS_ENDINGS:
        return False
    if any(part in _STRONG or part.endswith(_STRONG_ENDINGS) for part in parts):
        return not (parts == ["pwd"] and value.startswith("/"))  # the shell's working directory
    weak = any(part in _WEAK or part.endswith("key") for part in parts)
    return weak and not value.lstrip("\"'").startswith(("/", "./", "../", "~"))


def _is_base64(word: str) -> bool:
    """Rather than a path: all classes of characters, and none often."""
    return {"0", "a", "A"} <= set(_classes(word)) and _entropy(word) > 4.0


def _is_random(word: str) -> bool:
    """Whether classes of characters change as often as chance has them change, and not as in a name."""
    classes = _classes(word)
    changes = sum(a != b for a, b in itertools.pairwise(classes)) / (len(word) - 1)
    if len(set(classes)) == 3:
        return changes > 0.35 and _entropy(word) > 3.0
    return len(word) >= 24 and "0" in classes and changes > 0.25 and _entropy(word) > 3.3


def _classes(word: str) -> list[str]:
    return ["0" if c.isdigit() else "a" if c.islower() else "A" if c.isupper() else "+" for c in word]


def _entropy(word: str) -> float:
    """Bits for each character, by how often each stands in the word."""
    return -sum(n / len(word) * math.log2(n / len(word)) for n in Counter(word).values())
