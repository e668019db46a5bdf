"""Whether an address can be a server's, and whether a name can be an environment variable's.

What is refused is never quoted: it may be, or hold, a key.
"""

from __future__ import annotations

import ipaddress
import re
from unicodedata import combining
from urllib.parse import urlsplit

SERVERS = ("http", "https")

_INVISIBLE = re.compile(r"[\s\x00-\x1f\x7f-\xa0\u200b-\u200f\u2028-\u202e\ufeff]")
_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_KEY = re.compile(
    r"(sk|pk|rk|gsk|hf|r8|xai|nvapi|pplx)_(?=\w*\d)(?=\w*[a-z])\w{16,}"  # prefixes of well-known providers
    r"|AIza\w{20,}"
    r"|(?=[A-Za-z]*\d)[A-Za-z0-9]{32,}"
)
"""Keys that could pass for a variable's name."""


def problem_of_address(address: str, schemes: tuple[str, ...] = SERVERS) -> str:
    """Why this is no address of a server, as the end of a sentence; empty where it is one."""
    if not address.strip():
        return "is empty; leave it out for the default address"
    if _INVISIBLE.search(address):
        return "holds a space or an invisible character"
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return "is no address such as http://127.0.0.1:8000/v1: its host or its port can't be read"
    if parts.scheme not in schemes or "://" not in address:
        return f"must begin with {' or '.join(f'{scheme}://' for scheme in schemes)}"
    if not parts.hostname:
        return "names no host"
    if port == 0 or not _is_host(parts.hostname):
        return "is no address such as http://127.0.0.1:8000/v1: its host or its port can't be right"
    return ""


def problem_of_base_url(address: str) -> str:
    """As ``problem_of_address``; also nothing may stand in it that is secret or that no path can follow."""
    problem = _secret_in(address)
    return problem or problem_of_address(address)


def problem_of_variable(name: str) -> str:
    """Why this is no name of an environment variable that holds a key; empty where it is one, or nothing."""
    if not name or (_VARIABLE.fullmatch(name) and not _KEY.fullmatch(name)):
        return ""
    return (
        "must be the name of an environment variable, e.g. OPENAI_API_KEY, and not the key itself; "
        "put the key into that variable or into a .env beside the config"
    )


def _secret_in(address: str) -> str:
    """What stands in an address that would go into ``run.json`` with it."""
    head, _, query = address.partition("?")
    if "@" in head.partition("//")[2].partition("/")[0] or ("//" not in head and "@" in head):
        return "must hold no user or password, which would stand in run.json; use api_key_env"
    if query or address.endswith("?"):
        named = query.partition("=")[0]
        shown = (
            f" (`{named}`)" if re.fullmatch(r"[A-Za-z][A-Za-z0-9_.-]{0,30}", named) and "=" in query else ""
        )
        return (
            f"must hold no query{shown}: a key belongs into the variable that api_key_env names, "
            "and the calls' path has to follow the address"
        )
    return "must hold no fragment (`#…`)" if "#" in address else ""


def _is_host(host: str) -> bool:
    """Whether a name or an IP address could be looked up."""
    if ":" in host:
        return _is_ip(host)
    if not all(character.isalnum() or character in "-._" or combining(character) for character in host):
        return False
    try:
        ascii_name = host.encode("ascii" if host.isascii() else "idna").decode()
    except UnicodeError:
        return False
    labels = ascii_name.removesuffix(".").split(".")
    named = len(ascii_name) <= 253 and all(_LABEL.fullmatch(label) for label in labels)
    return named and (not labels[-1].isdigit() or _is_ip(ascii_name))


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
