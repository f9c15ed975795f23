"""A mail server for tests: keeps what it takes, and misbehaves where an address asks for it.

usage: mail_server.py DIRECTORY PORT {clear,starttls,tls} [CERTIFICATE KEY]

Says the port it listens on in its first line and ends when its input does. Each message becomes a JSON file in DIRECTORY,
read by Python's own parser. A recipient or a sender whose local part is one of these is answered so:

refuse    550, at once                later     451, at once
hang      nothing, ever               slow      taken, a second later
refuse-content, later-content, hang-content   the same, once the content has come
drop-content    the connection is closed once the content has come

With a certificate, a login is required: user `cloud`, password `p:ss/wörd`.
"""

import asyncio
import email
import email.policy
import json
import logging
import os
import ssl
import sys
import warnings

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword


def local_part(address):
    return address.rsplit("@", 1)[0]


class Handler:
    def __init__(self, directory):
        self.directory = directory
        self.taken = 0

    async def handle_MAIL(self, server, session, envelope, address, options):
        answer = await self.judge(local_part(address))
        if answer.startswith("250"):
            envelope.mail_from = address
        return answer

    async def handle_RCPT(self, server, session, envelope, address, options):
        answer = await self.judge(local_part(address))
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server, session, envelope):
        for address in envelope.rcpt_tos:
            if local_part(address) == "drop-content":
                server.transport.abort()
                return "451 gone"
            what, _, when = local_part(address).partition("-")
            answer = await self.judge(what) if when == "content" else "250"
            if not answer.startswith("250"):
                return answer
        self.keep(session, envelope)
        return "250 taken"

    async def judge(self, what):
        if what == "refuse":
            return "550 5.1.1 no such mailbox \x1b[31mhere\x07 " + "x" * 300
        if what == "later":
            return "451 4.7.1 come back later"
        if what == "hang":
            await asyncio.sleep(3600)
        if what == "slow":
            await asyncio.sleep(1)
        return "250 OK"

    def keep(self, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        parts = [part for part in message.walk() if not part.is_multipart()]
        kept = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "connection": list(session.peer),
            "hello": session.host_name,
            "tls": session.ssl is not None or self.wrapped,
            "login": session.auth_data.login.decode() if session.auth_data else None,
            "type": message.get_content_type(),
            "headers": [[name, str(value)] for name, value in message.items()],
            "parts": [[part.get_content_type(), part.get_content().replace("\r\n", "\n")] for part in parts],
            "defects": [str(defect) for part in message.walk() for defect in part.defects],
            "raw": envelope.content.decode("latin-1"),
        }
        self.taken += 1
        path = os.path.join(self.directory, f"{os.getpid()}-{self.taken:04}.json")
        with open(path + ".part", "w") as file:
            json.dump(kept, file)
        os.rename(path + ".part", path)


def authenticate(server, session, envelope, mechanism, data):
    fits = isinstance(data, LoginPassword) and data.login == b"cloud" and data.password == "p:ss/wörd".encode()
    return AuthResult(success=fits, auth_data=data) if fits else AuthResult(success=False, handled=False)


async def main(directory, port, mode, certificate=None, key=None):
    handler = Handler(directory)
    handler.wrapped = mode == "tls"
    options = {"hostname": "mail.test"}
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        options |= {"auth_required": True, "authenticator": authenticate, "auth_require_tls": mode == "starttls"}
    if mode == "starttls":
        options |= {"tls_context": context, "require_starttls": True}
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(handler, loop=loop, **options),
        "127.0.0.1",
        int(port),
        ssl=context if mode == "tls" else None,
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    os._exit(0)


if __name__ == "__main__":
    logging.disable()
    warnings.simplefilter("ignore")
    asyncio.run(main(*sys.argv[1:]))
