"""An FTP server on a free port of 127.0.0.1, which it prints. Arguments: folder, behaviour, certificate and key (PEM)."""
import sys

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler, TLS_FTPHandler
from pyftpdlib.servers import FTPServer

folder, behaviour, certificate = sys.argv[1:4]
authorizer = DummyAuthorizer()
authorizer.add_user("desk", "p w;d", folder, perm="elradfmw")
handler = FTPHandler
if certificate:
    handler = TLS_FTPHandler
    handler.certfile = certificate
    handler.tls_control_required = True
    handler.tls_data_required = True
handler.authorizer = authorizer
handler.banner = "ready"
if behaviour == "lying":
    # The address in the answer to PASV is one that nobody should be sent to.
    handler.masquerade_address = "10.255.255.1"
if behaviour == "privileged":
    handler._make_epasv = lambda self, extmode=False: self.respond("227 Entering passive mode (127,0,0,1,0,22).")
if behaviour == "sizeless":
    handler.ftp_SIZE = lambda self, path: self.respond("502 Command not implemented.")
if behaviour == "timid":
    # Renames onto nothing only.
    import os

    rename = handler.ftp_RNTO

    def ftp_RNTO(self, path):
        if os.path.exists(path):
            self.respond("550 The file exists.")
        else:
            rename(self, path)

    handler.ftp_RNTO = ftp_RNTO
if behaviour == "full":
    handler.ftp_STOR = lambda self, file, mode="w": self.respond("452 Insufficient storage space.")
server = FTPServer(("127.0.0.1", 0), handler)
print(server.address[1], flush=True)
server.serve_forever()
