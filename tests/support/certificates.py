"""Certificates that sign themselves, of any span of time, by the `openssl` command."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

_CONFIG = """\
[ca]
default_ca = own
[own]
database = {folder}/index.txt
new_certs_dir = {folder}
rand_serial = yes
default_md = sha256
policy = any
x509_extensions = names
[any]
commonName = optional
[names]
subjectAltName = {names}
basicConstraints = critical,CA:true
"""


def certificate(folder: Path, names: str = "IP:127.0.0.1", *, expired: bool = False) -> ssl.SSLContext:
    """A server's context; its certificate is ``cert.pem`` in the folder.

    Args:
        names: whom it is for, as OpenSSL writes it.
    """
    (folder / "index.txt").touch()
    (folder / "ca.cnf").write_text(_CONFIG.format(folder=folder, names=names))
    _openssl(folder, "req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=test",
             "-keyout", "key.pem", "-out", "request.pem")  # fmt: skip
    until = "20200102000000Z" if expired else "21000101000000Z"
    _openssl(folder, "ca", "-config", "ca.cnf", "-batch", "-notext", "-selfsign", "-keyfile", "key.pem",
             "-in", "request.pem", "-out", "cert.pem",
             "-startdate", "20200101000000Z", "-enddate", until)  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
