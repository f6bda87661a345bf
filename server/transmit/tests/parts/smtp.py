"""A relay on a free port of 127.0.0.1, which it prints. Arguments: folder, behaviour, certificate and key (PEM)."""
import asyncio
import json
import os
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

folder, behaviour, certificate = sys.argv[1:4]


class Handler:
    count = 0

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("unknown"):
            return "550 no such mailbox"
        if address.startswith("grey"):
            return "451 try again"
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, server, session, envelope):
        if behaviour == "refusing":
            return "554 no"
        if behaviour == "busy":
            return "451 later"
        Handler.count += 1
        name = os.path.join(folder, str(Handler.count))
        with open(name + ".eml", "wb") as file:
            file.write(envelope.content)
        with open(name + ".json", "w") as file:
            json.dump({"from": envelope.mail_from, "to": envelope.rcpt_tos, "tls": server.transport.get_extra_info("ssl_object") is not None,
                       "user": session.auth_data and session.auth_data.login.decode()}, file)
        return "250 taken"


def authenticate(server, session, envelope, mechanism, data):
    is_right = (data.login, data.password) == (b"desk", b"p w;d")
    return AuthResult(success=is_right, handled=False, auth_data=data)


async def main():
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    implicit = behaviour == "implicit"
    starttls = context if not implicit else None

    def make():
        return SMTP(Handler(), hostname="relay.example", tls_context=starttls, require_starttls=starttls is not None,
                    authenticator=authenticate, auth_require_tls=starttls is not None)

    server = await asyncio.get_running_loop().create_server(
        make, "127.0.0.1", 0, ssl=context if implicit else None)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
