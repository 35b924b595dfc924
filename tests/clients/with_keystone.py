#!/usr/bin/env python3
"""Drives a nucleon server that knows its callers from a real Keystone, with the real clients.

    python tests/clients/with_keystone.py --server target/debug/nucleon

Starts a private Keystone, registers the server and its people there, starts the server with
`--auth keystone`, and runs the scenarios of an administrator and of a member, who name themselves
by password. Needs python-openstackclient, openstacksdk and keystone in the Python that runs it.
"""

import argparse
import json
import os
import pathlib
import tempfile

import command_line
import keystone
import member
import run
import software_kit


def started(server, directory, port, authority):
    secret = directory / "password"
    secret.write_text(keystone.PASSWORD + "\n")
    secret.chmod(0o600)
    words = ("--auth", "keystone", "--keystone-url", authority.url, "--keystone-user", "nucleon",
             "--keystone-password-file", str(secret))
    return run.launch(server, directory, port, words)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        port = run.free_port()
        authority = keystone.Keystone(directory, run.free_port(), f"http://127.0.0.1:{port}")
        try:
            process = started(os.path.abspath(arguments.server), directory, port, authority)
            clouds = {"administrator": authority.auth("admin", "admin"),
                      "member": authority.auth("someone", "demo")}
            # JSON is YAML.
            (directory / "clouds.yaml").write_text(json.dumps({"clouds": clouds}))
            run.drive("clients with Keystone", process, directory,
                      [("administrator", lambda: command_line.run(command_line.within)),
                       ("administrator", software_kit.run),
                       ("member", member.run)])
        finally:
            authority.stop()


if __name__ == "__main__":
    main()
