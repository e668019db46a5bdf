"""Addresses, keys and surroundings that no call can go out with, found without one."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from yarl import URL

from dfj_bootstrap.app.makers import backend_note
from dfj_bootstrap.config.addresses import problem_of_address, problem_of_base_url, problem_of_variable
from dfj_bootstrap.config.models import GeminiModel, OpenAIModel, VLLMModel
from dfj_bootstrap.config.tree import Config
from dfj_bootstrap.domain.model_names import public_name
from dfj_bootstrap.endpoints.keys import key_of
from dfj_bootstrap.endpoints.surroundings import check_client, proxy_for, set_up
from dfj_bootstrap.errors import ConfigError
from dfj_bootstrap.roles.checks import check_backends
from dfj_bootstrap.roles.generation import FORMS
from dfj_bootstrap.roles.identity import identity_of

GOOD = [
    "http://127.0.0.1:8000/v1", "https://api.example.com/v1/", "http://localhost", "http://[::1]:8000/v1",
    "HTTP://Host.Example/v1", "http://my_service:8000", "https://exämple.de/v1", "http://host./v1",
]  # fmt: skip
BAD = [
    ("", "is empty"),
    ("   ", "is empty"),
    ("127.0.0.1:8000/v1", "must begin with http://"),
    ("localhost:8000", "must begin with http://"),
    ("api.example.com/v1", "must begin with http://"),
    ("ftp://host/v1", "must begin with http://"),
    ("http:/host/v1", "must begin with http://"),
    ("http//host/v1", "must begin with http://"),
    ("http:///v1", "names no host"),
    ("http://:8000/v1", "names no host"),
    ("http://[::1", "can't be read"),
    ("http://host:99999/v1", "can't be read"),
    ("http://host:port/v1", "can't be read"),
    ("http://host:0/v1", "can't be right"),
    ("http://a..b/v1", "can't be right"),
    ("http://" + "a" * 70 + ".com", "can't be right"),
    ("http://1.2.3.4.5/v1", "can't be right"),
    ("http://999.1.1.1/v1", "can't be right"),
    ("http://exa mple.com", "holds a space"),
    (" http://host/v1", "holds a space"),
    ("http://host/v1\n", "holds a space"),
    ("http://host\u200b/v1", "holds a space"),
    ("http://“host”/v1", "can't be right"),
]
SECRET = "sk-proj-abcdefghijklmnop0123456789"


@pytest.mark.parametrize("address", GOOD)
def test_an_address_that_the_clients_take_is_taken(address: str) -> None:
    assert problem_of_base_url(address) == ""
    assert httpx2.URL(address).host
    assert URL(address).host


@pytest.mark.parametrize(("address", "problem"), BAD)
def test_an_address_that_no_call_could_go_to_is_refused(address: str, problem: str) -> None:
    assert problem in problem_of_base_url(address)
    with pytest.raises(ValidationError, match=r"base_url"):
        OpenAIModel(backend="openai", model="m", base_url=address)
    with pytest.raises(ValidationError, match=r"base_url"):
        GeminiModel(backend="gemini", model="m", base_url=address)


@given(
    st.text(alphabet="htps:/[]@.%-_a1\\ \n\u00e4\u200b?#:", max_size=20).map(lambda text: f"http://{text}")
)
def test_what_is_taken_can_be_read_by_both_clients(address: str) -> None:
    if not problem_of_base_url(address) and address.isascii():
        assert httpx2.URL(address).host
        assert URL(address).host


@pytest.mark.parametrize(
    "address",
    [f"https://host/v1?key={SECRET}", f"https://host/v1?{SECRET}", f"https://host/v1?api-version=1&k={SECRET}",
     f"https://{SECRET}@host/v1", f"https://user:{SECRET}@host/v1", f"user:{SECRET}@host/v1",
     f"https://host/v1#{SECRET}", f"https://host?token={SECRET}", f"{SECRET}@host"],
)  # fmt: skip
def test_a_secret_in_an_address_is_refused_and_not_repeated(address: str) -> None:
    problem = problem_of_base_url(address)
    assert problem.startswith("must hold no")
    assert SECRET not in problem
    assert "sk-" not in problem


@pytest.mark.parametrize(
    "name",
    [SECRET, "sk-short", "AIzaSyA0123456789abcdefghijklmnopqrstuv", "gsk_abcdefghij0123456789ABCDEFGHIJ",
     "hf_abcdefghijklmnopqrstuvwxyz012345", "sk_live_abcdefghij0123456789", "Bearer x", "$OPENAI_API_KEY",
     "${OPENAI_API_KEY}", "MY-KEY", "OPENAI_API_KEY ", "0123", "abcdef0123456789abcdef0123456789"],
)  # fmt: skip
def test_a_key_where_the_name_of_its_variable_belongs_is_refused_and_not_repeated(name: str) -> None:
    problem = problem_of_variable(name)
    assert "name of an environment variable" in problem
    assert name not in problem.replace("OPENAI_API_KEY", "")


@pytest.mark.parametrize(
    "name", ["OPENAI_API_KEY", "key", "_k", "MY_KEY_2", "hf_token", "OpenAI_Key_Of_My_Second_Account_2", ""]
)
def test_names_of_variables_are_taken(name: str) -> None:
    assert problem_of_variable(name) == ""


KEYED = OpenAIModel(backend="openai", model="m", api_key_env="K")


@pytest.mark.parametrize(
    ("key", "what"),
    [(f"{SECRET}\n", "a line end"), (f"{SECRET}\r\n", "a line end"), (f"“{SECRET}”", "left double quotation"),
     (f" {SECRET}", "space"), (f"{SECRET}\u200b", "zero width space"), ("   ", "space"), ("\t", "U+0009"),
     (f"Bearer {SECRET}", "space"), (f"{SECRET}é", "latin small letter e"), (f"{SECRET}\x7f", "U+007F")],
)  # fmt: skip
def test_a_key_that_no_header_can_carry_is_refused_and_not_repeated(key: str, what: str) -> None:
    with pytest.raises(ConfigError) as raised:
        key_of("fast", KEYED, {"K": key})
    said = str(raised.value)
    assert "models.fast: the key in the environment variable K holds" in said
    assert what.lower() in said.lower()
    assert SECRET not in said


def config_of(**model: Any) -> Config:
    models = {"fast": {"backend": "openai", "model": "m", "api_key_env": "K", **model}}
    return Config.model_validate({"seeds": "s", "models": models, "evaluator": {"model": "fast"}})


@pytest.fixture(autouse=True)
def _no_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "OPENAI_BASE_URL", "GOOGLE_GEMINI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("K", "a-key-of-the-test")


@pytest.mark.parametrize("backend", ["openai", "gemini"])
@pytest.mark.parametrize(
    ("variable", "value"),
    [("SSL_CERT_FILE", "/no/such/file.pem"), ("SSL_CERT_FILE", "/etc"), ("SSL_CERT_FILE", __file__),
     ("SSL_CERT_DIR", "/no/such/folder"), ("HTTPS_PROXY", "http://[::1"), ("https_proxy", "socks4://host"),
     ("HTTP_PROXY", "http://host:99999"), ("ALL_PROXY", "nonsense://"), ("HTTPS_PROXY", "socks5://host:1"),
     ("HTTPS_PROXY", "http://a b")],
)  # fmt: skip
def test_what_is_wrong_around_is_found_by_check_and_named(
    backend: str, variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError, match=f"^{variable}: "):
        check_backends(config_of(backend=backend))


def test_a_password_in_a_proxy_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"socks5://me:{SECRET}@host:1")
    with pytest.raises(ConfigError) as raised:
        check_backends(config_of())
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize(
    ("variable", "value", "backend"),
    [("OPENAI_BASE_URL", "no-scheme/v1", "openai"), ("GOOGLE_GEMINI_BASE_URL", "no-scheme", "gemini"),
     ("OPENAI_ORG_ID", "a\nb", "openai"), ("OPENAI_CUSTOM_HEADERS", "X-Team: “us”", "openai"),
     ("OPENAI_BASE_URL", "http://[::1", "openai")],
)  # fmt: skip
def test_settings_of_the_client_libraries_in_the_environment_are_checked_too(
    variable: str, value: str, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError, match=r"models\.fast: "):
        check_backends(config_of(backend=backend))


def test_what_is_right_around_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bundle = ssl.get_default_verify_paths().cafile
    for variable, value in {
        "SSL_CERT_FILE": bundle or "",
        "SSL_CERT_DIR": str(tmp_path),
        "HTTPS_PROXY": "http://me:pw@127.0.0.1:3128",
        "ALL_PROXY": "socks5://127.0.0.1:1080",
        "NO_PROXY": "127.0.0.1,localhost,[,*.x",
    }.items():
        monkeypatch.setenv(variable, value)
    for backend in ("openai", "gemini"):
        check_backends(config_of(backend=backend))


def test_the_proxy_that_leads_to_an_address_is_known() -> None:
    around = {"https_proxy": "http://me:pw@proxy:1", "ALL_PROXY": "other:2", "no_proxy": "127.0.0.1"}
    assert proxy_for("m", "https://a.example/v1", around) == "proxy:1"
    assert proxy_for("m", "http://a.example/v1", around) == "other:2"
    assert proxy_for("m", "http://a.example/v1", around, strict=True) == ""
    assert proxy_for("m", "https://127.0.0.1/v1", around) == ""
    with pytest.raises(ConfigError, match="ALL_PROXY"):
        proxy_for("m", "http://a.example/v1", {"ALL_PROXY": "socks5://x:1"})
    with pytest.raises(ConfigError, match="http_proxy"):
        proxy_for("m", "http://a.example/v1", {"http_proxy": "proxy:1"}, strict=True)


def test_whatever_a_client_can_not_be_made_for_is_one_sentence() -> None:
    for error in (FileNotFoundError(2, "No such file", "/x"), ValueError("x"), ImportError("socksio")):
        with (
            pytest.raises(ConfigError, match=r"^models\.fast: its HTTP client can't be made"),
            set_up("fast", {}),
        ):
            raise error


def test_a_header_that_can_not_be_sent_is_named_without_its_value() -> None:
    with pytest.raises(ConfigError) as raised:
        check_client("fast", "http://host/v1", {"X-Team": f"{SECRET}\n"})
    assert "'X-Team'" in str(raised.value)
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize(
    ("model", "name"),
    [("/home/me/models/qwen-7b", "qwen-7b"), ("/home/me/models/qwen-7b/", "qwen-7b"), ("./qwen", "qwen"),
     ("~/m/qwen", "qwen"),
     (r"C:\Users\me\qwen", "qwen"), ("C:/Users/me/qwen", "qwen"), (r"m\me\qwen", "qwen"),
     (r"\\host\share\qwen", "qwen"), ("file:///home/me/qwen.gguf", "qwen.gguf"), ("../qwen", "qwen"),
     ("s3://bucket/me/qwen", "qwen"), ("/", "a local model"), ("Qwen/Qwen2.5-VL-7B", "Qwen/Qwen2.5-VL-7B"),
     ("gpt-4o-mini", "gpt-4o-mini"), ("accounts/fireworks/models/x", "accounts/fireworks/models/x"),
     ("package:gt_all", "package:gt_all"), ("qwen2.5:7b", "qwen2.5:7b"), ("", "")],
)  # fmt: skip
def test_a_path_is_published_as_its_last_part_and_a_name_as_it_is(model: str, name: str) -> None:
    assert public_name(model) == name


def test_the_card_names_local_models_without_where_they_lie() -> None:
    config = Config.model_validate(
        {
            "seeds": "s",
            "models": {
                "own": {"backend": "vllm", "model": "/home/me/models/big"},
                "mild": {"backend": "openai", "model": "~/models/mild"},
            },
            "generator": {"model": "own", "fallback": ["mild"]},
            "similarity": {"backend": "sentence-transformers", "model": "/home/me/encoder"},
        }
    )
    note = backend_note(config, identity_of(config, FORMS))
    assert isinstance(config.models["own"], VLLMModel)
    assert "/home" not in note
    assert "~" not in note
    assert "generator: big or mild" in note
    assert "similarity: encoder" in note


def test_an_address_for_a_proxy_may_hold_a_password() -> None:
    assert problem_of_address("http://me:pw@host:1") == ""
