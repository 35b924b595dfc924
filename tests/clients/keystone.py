"""A private Keystone on loopback: SQLite, Fernet tokens, and the people that the scripts act as."""

import os
import pathlib
import subprocess
import sys
import textwrap
import time
import urllib.request

PASSWORD = "open-sesame"
MANAGE = str(pathlib.Path(sys.executable).with_name("keystone-manage"))

CONFIGURATION = """
[DEFAULT]
log_file = {home}/keystone.log
[database]
connection = sqlite:///{home}/keystone.db
[token]
provider = fernet
[fernet_tokens]
key_repository = {home}/fernet
[fernet_receipts]
key_repository = {home}/fernet
[credential]
key_repository = {home}/credential
[identity]
password_hash_rounds = 4
[cache]
enabled = false
"""

# Threads, as gunicorn would have them; nothing of it is for more than a test.
SERVER = """
import os, socketserver, sys
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
os.environ["OS_KEYSTONE_CONFIG_DIR"] = {home!r}
sys.argv = ["keystone"]
from keystone.server.wsgi import initialize_public_application
class Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 64
class Handler(WSGIRequestHandler):
    def log_message(self, *_): pass
    def address_string(self): return self.client_address[0]
make_server("127.0.0.1", {port}, initialize_public_application(), Server, Handler).serve_forever()
"""


class Keystone:
    """Runs until `stop`; `url` is its address."""

    def __init__(self, directory, port, network_url):
        self.home = directory / "keystone"
        self.url = f"http://127.0.0.1:{port}/v3"
        for part in ("fernet", "credential"):
            (self.home / part).mkdir(parents=True, mode=0o700)
        (self.home / "keystone.conf").write_text(CONFIGURATION.format(home=self.home))
        self.manage("db_sync")
        self.manage("fernet_setup", *self.owner())
        self.manage("credential_setup", *self.owner())
        self.manage("bootstrap", "--bootstrap-password", PASSWORD,
                    "--bootstrap-region-id", "RegionOne",
                    "--bootstrap-public-url", self.url, "--bootstrap-internal-url", self.url)
        program = textwrap.dedent(SERVER).format(home=str(self.home), port=port)
        with (self.home / "stderr").open("w") as errors:
            self.process = subprocess.Popen([sys.executable, "-c", program], stderr=errors)
        self.wait()
        try:
            self.people(network_url)
        except BaseException:
            self.stop()
            raise

    def owner(self):
        return ("--keystone-user", str(os.getuid()), "--keystone-group", str(os.getgid()))

    def manage(self, *words):
        configuration = str(self.home / "keystone.conf")
        done = subprocess.run([MANAGE, "--config-file", configuration, *words],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"keystone-manage {words[0]} failed:\n{done.stderr[-2000:]}")

    def wait(self):
        for _ in range(300):
            try:
                urllib.request.urlopen(self.url, timeout=5)
                return
            except OSError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.1)
        self.stop()
        sys.exit("Keystone did not start:\n" + (self.home / "stderr").read_text()[-2000:])

    def people(self, network_url):
        """The server's own user, a project with a member, and where the network service is."""
        cloud = self.cloud()
        identity = cloud.identity
        service = identity.create_service(name="nucleon", type="network")
        identity.create_endpoint(service_id=service.id, interface="public", url=network_url,
                                 region_id="RegionOne")
        for user, project, roles in (("nucleon", "service", ("admin", "service")),
                                     ("someone", "demo", ("member",))):
            home = identity.create_project(name=project, domain_id="default")
            made = identity.create_user(name=user, password=PASSWORD, domain_id="default")
            for name in roles:
                role = identity.find_role(name) or identity.create_role(name=name)
                identity.assign_project_role_to_user(home, made, role)
        cloud.close()

    def cloud(self):
        """openstacksdk as the administrator, whatever clouds the machine's user has."""
        import openstack
        return openstack.connect(load_yaml_config=False, load_envvars=False,
                                 **self.auth("admin", "admin"))

    def auth(self, user, project):
        """What a client is told, as in clouds.yaml."""
        auth = {"auth_url": self.url, "username": user, "password": PASSWORD,
                "project_name": project, "user_domain_id": "default",
                "project_domain_id": "default"}
        return {"auth_type": "password", "auth": auth, "region_name": "RegionOne",
                "identity_api_version": "3"}

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=30)
