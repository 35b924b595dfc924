#!/usr/bin/env python3
"""Records what a Networking API answers, and checks another one against the record.

    record.py record KIND/CASE.scenario...   plays scenarios on a real deployment (identities from
                                             Keystone) and writes KIND/CASE.json beside each
    record.py check  KIND/CASE.json...       replays transcripts against any URL whose server takes
                                             identity from headers, and prints every difference

The formats are described in README.md. Only the standard library is needed.
"""
import argparse
import http.client
import json
import os
import re
import sys
import time
import uuid
from pathlib import Path
from urllib.parse import urlsplit

# Roles as Keystone expands them: each implies the next one.
ROLES = {
    "admin": ["admin", "manager", "member", "reader"],
    "manager": ["manager", "member", "reader"],
    "member": ["member", "reader"],
    "reader": ["reader"],
    "stranger": ["member", "reader"],
    "service": ["service"],
}
# Which project each identity acts for.
PROJECT = {
    "admin": "admin", "manager": "owner", "member": "owner", "reader": "owner",
    "stranger": "stranger", "service": "service",
}
KEPT_HEADERS = ("content-type", "location", "allow", "www-authenticate")
# A number of Neutron's own database, shown in some replies by accident; `<any>` hides what depends
# on the backend that plugs a port.
IGNORED_KEYS = {"standard_attr_id"}
OPAQUE_KEYS = ("binding:vif_details", "vif_details")

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
MAC = r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}"
IP = r"(?:\d+\.\d+\.\d+\.\d+|[0-9a-f]*:[0-9a-f:]+)"
HOSTNAME = r"host-[0-9a-f-]+"
PLACEHOLDER = {
    "<uuid>": UUID, "<time>": TIME, "<mac>": MAC, "<ip>": IP, "<hostname>": HOSTNAME,
    "<url>": r"https?://[^\"]+",
}


# ---------------------------------------------------------------- scenarios

def relaxed_json(text):
    """Reads JSON whose words may go without quotes: {cidr: 10.0.0.0/24, shared: true}."""
    def word(found):
        token = found.group(0)
        if token.startswith('"') or token == ":":
            return token
        key = token.endswith(":")
        token = token[:-1] if key else token
        try:
            json.loads(token)
            quoted = json.dumps(token) if key else token
        except ValueError:
            quoted = json.dumps(token)
        return quoted + (":" if key else "")
    pattern = r'"(?:[^"\\]|\\.)*"|(?:\$\{[^}]*\}|[^\s,{}\[\]"])+'
    return json.loads(re.sub(pattern, word, text))


def read_scenario(path):
    """Returns (about, steps) of a scenario file; `%% a | b` at the end of a line repeats it."""
    about, why, steps = [], [], []
    text = re.sub(r"\\\n\s*", " ", path.read_text())
    for number, line in enumerate(text.splitlines(), 1):
        try:
            if not line.strip():
                why = []
            elif line.startswith("= "):
                about.append(line[2:].strip())
            elif line.startswith("#"):
                why.append(line[1:].strip())
            elif line[0].isspace():
                add_detail(steps[-1], line.strip())
            else:
                steps += [dict(one, **({"why": " ".join(why)} if why else {}))
                          for one in read_step(line)]
                why = []
        except Exception as error:
            raise SystemExit(f"{path}, line {number}: {error}\n  {line}")
    return " ".join(about), steps


def read_step(line):
    line, _, repeats = line.partition(" %% ")
    for value in repeats.split(" | ") if repeats else [None]:
        text = line if value is None else line.replace("@@", value.strip())
        text, _, saves = text.partition(" => ")
        who, method, path, *body = text.split(None, 3)
        request = {"method": method, "path": path if path.startswith("/") else "/v2.0/" + path}
        if body:
            request["body"] = relaxed_json(body[0])
        step = {"as": who, "request": request}
        if saves:
            step["save"] = dict(one.strip().split("=", 1) for one in saves.split(","))
        yield step


def add_detail(step, line):
    """An indented line below a step: `raw TEXT` is a body as it is, else a header."""
    request = step["request"]
    if line.startswith("raw"):
        request["raw"] = line[3:].strip()
    else:
        name, _, value = line.partition(":")
        request.setdefault("headers", {})[name] = value.strip()


# ---------------------------------------------------------------- the wire

class Server:
    """One API under test: its address and how each identity makes itself known."""

    def __init__(self, base, identities, projects):
        self.base = base.rstrip("/")
        self.identities = identities
        self.projects = projects

    def ask(self, who, request):
        """Sends one request as it is written; returns (status, headers, body text)."""
        url = urlsplit(self.base)
        headers = dict(self.identities.get(who, {}))
        payload = None
        if "raw" in request:
            payload = request["raw"].encode()
        elif "body" in request:
            payload = json.dumps(request["body"]).encode()
        if payload is not None:
            headers["Content-Type"] = "application/json"
        headers.update(request.get("headers", {}))
        headers = {name: value for name, value in headers.items() if value != "(none)"}
        connection = http.client.HTTPConnection(url.hostname, url.port, timeout=300)
        connection.request(request["method"], url.path + request["path"], payload, headers)
        reply = connection.getresponse()
        text = reply.read().decode(errors="replace")
        connection.close()
        return reply.status, [(n.lower(), v) for n, v in reply.getheaders()], text


def header_identities():
    """Identities for a server in `--auth none` mode, with fresh projects."""
    projects = {name: uuid.uuid4().hex for name in sorted(set(PROJECT.values()))}
    return projects, {
        who: {"X-Project-Id": projects[PROJECT[who]], "X-User-Id": f"user-of-{who}",
              "X-Roles": ",".join(roles)}
        for who, roles in ROLES.items()
    }


class Keystone:
    """Makes real projects, users and tokens, on a deployment for tests."""

    def __init__(self, url, password):
        self.url = urlsplit(url)
        self.token = None
        self.token, self.admin_project = self.log_in("admin", password, "admin")
        self.domain = "default"
        self.roles = {role["name"]: role["id"] for role in self.call("GET", "/roles")["roles"]}
        self.users = {who: self.user(who) for who in ROLES if who != "admin"}

    def call(self, method, path, body=None):
        status, headers, reply = self.raw(method, path, body)
        if status >= 400:
            raise SystemExit(f"Keystone answers {status} to {method} {path}: {reply}")
        return reply

    def raw(self, method, path, body=None):
        connection = http.client.HTTPConnection(self.url.hostname, self.url.port, timeout=60)
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["X-Auth-Token"] = self.token
        connection.request(method, self.url.path + path,
                           json.dumps(body).encode() if body is not None else None, headers)
        reply = connection.getresponse()
        text = reply.read().decode()
        return reply.status, dict(reply.getheaders()), json.loads(text) if text else None

    def log_in(self, name, password, project, by="name"):
        scope = {"id": project} if by == "id" else {"name": project, "domain": {"id": "default"}}
        user = {"name": name, "domain": {"id": "default"}, "password": password}
        body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}},
                         "scope": {"project": scope}}}
        kept, self.token = self.token, None
        status, headers, reply = self.raw("POST", "/auth/tokens", body)
        self.token = kept
        if status != 201:
            raise SystemExit(f"Keystone answers {status} to {name}: {reply}")
        token = {n.lower(): v for n, v in headers.items()}["x-subject-token"]
        return token, reply["token"]["project"]["id"]

    def user(self, who):
        name = f"transcript-{who}"
        found = self.call("GET", f"/users?name={name}")["users"]
        if not found:
            body = {"user": {"name": name, "domain_id": self.domain, "password": "secret"}}
            found = [self.call("POST", "/users", body)["user"]]
        return found[0]["id"]

    def identities(self):
        """Fresh projects, and a token of each identity in its own."""
        projects = {"admin": self.admin_project}
        for name in sorted(set(PROJECT.values()) - {"admin"}):
            body = {"project": {"name": f"transcript-{name}-{uuid.uuid4().hex[:12]}",
                                "domain_id": self.domain}}
            projects[name] = self.call("POST", "/projects", body)["project"]["id"]
        tokens = {"admin": self.token}
        for who, user in self.users.items():
            project, role = projects[PROJECT[who]], self.roles[ROLES[who][0]]
            self.call("PUT", f"/projects/{project}/users/{user}/roles/{role}")
            tokens[who], _ = self.log_in(f"transcript-{who}", "secret", project, by="id")
        return projects, {who: {"X-Auth-Token": token} for who, token in tokens.items()}


# ---------------------------------------------------------------- names and normal forms

def fill(value, names):
    """Puts the values of saved names where `${name}` stands."""
    if isinstance(value, dict):
        return {fill(k, names): fill(v, names) for k, v in value.items()}
    if isinstance(value, list):
        return [fill(v, names) for v in value]
    if isinstance(value, str):
        whole = re.fullmatch(r"\$\{([^}]+)\}", value)
        if whole:
            return names[whole.group(1)]
        return re.sub(r"\$\{([^}]+)\}", lambda found: str(names[found.group(1)]), value)
    return value


def pick(body, path):
    """Follows `network.id`, `subnets.0.id` or `rules.ethertype=IPv4.id` into a reply."""
    for part in path.split("."):
        if isinstance(body, list) and "=" in part:
            key, value = part.split("=", 1)
            body = next(one for one in body if str(one.get(key)) == value)
        elif isinstance(body, list):
            body = body[int(part)]
        else:
            body = body[part]
    return body


class Normaliser:
    """Replaces what differs between two runs by placeholders."""

    def __init__(self):
        self.given = set()

    def learn(self, body):
        """Remembers the addresses and numbers a caller chose: these stay in replies."""
        if isinstance(body, dict):
            for key, value in body.items():
                if key in ("ip_address", "provider:segmentation_id", "segmentation_id",
                           "mac_address", "gateway_ip", "cidr") and not isinstance(
                               value, (dict, list)):
                    self.given.add(str(value))
                self.learn(value)
            if body.get("start") is not None and body.get("start") == body.get("end"):
                self.given.add(str(body["start"]))
        elif isinstance(body, list):
            for value in body:
                self.learn(value)

    def value(self, value, names, key=""):
        if key in OPAQUE_KEYS and value:
            return "<any>"
        if isinstance(value, dict):
            return {k: self.value(v, names, k) for k, v in sorted(value.items())
                    if k not in IGNORED_KEYS}
        if isinstance(value, list):
            return [self.value(v, names, key) for v in value]
        if isinstance(value, bool) or value is None:
            return value
        if isinstance(value, int):
            return self.number(value, key)
        if isinstance(value, str):
            return self.text(value, names, key)
        return value

    def number(self, value, key):
        if key == "revision_number":
            return "<int>"
        if key.endswith("segmentation_id") and str(value) not in self.given:
            return "<int>"
        return value

    def text(self, value, names, key):
        known = [(str(v), n) for n, v in names.items() if isinstance(v, str) and len(v) >= 8]
        for text, name in sorted(known, key=lambda one: (-len(one[0]), one[1])):
            if text in self.given:
                continue
            value = value.replace(text, "${" + name + "}")
        value = re.sub(UUID, "<uuid>", value)
        if key == "www-authenticate":
            return re.sub(PLACEHOLDER["<url>"], "<url>", value)
        if re.fullmatch(TIME, value):
            return "<time>"
        if re.fullmatch(MAC, value) and value not in self.given:
            return "<mac>"
        chosen = value in self.given or ("ff:fe" in value and "f816:3eff:fe" not in value)
        if key in ("ip_address", "gateway_ip") and not chosen and re.fullmatch(IP, value):
            return "<ip>"
        return re.sub(HOSTNAME, "<hostname>", value) if key in ("hostname", "fqdn") else value


def error_only(body):
    """Of an error only its type is part of the contract; the sentences are each server's own."""
    if isinstance(body, dict) and isinstance(body.get("NeutronError"), dict):
        return {"NeutronError": {"type": body["NeutronError"].get("type")}}
    if isinstance(body, dict) and isinstance(body.get("error"), dict):
        return {"error": {k: v for k, v in body["error"].items() if k != "message"}}
    return body


def parse_body(text, content_type):
    if not text:
        return None
    if "json" in content_type:
        try:
            return json.loads(text)
        except ValueError:
            pass
    return {"(text)": True}


# ---------------------------------------------------------------- recording

def record(path, base, keystone):
    about, steps = read_scenario(path)
    projects, identities = keystone.identities()
    server = Server(base, identities, projects)
    names = {f"project.{name}": value for name, value in projects.items()}
    names["base"] = server.base
    normaliser, out, failed = Normaliser(), [], 0
    for number, step in enumerate(steps, 1):
        written = step["request"]
        try:
            request = fill(written, names)
        except KeyError as missing:
            print(f"  step {number}: no such name {missing}", flush=True)
            failed += 1
            continue
        normaliser.learn(request.get("body"))
        status, headers, text = server.ask(step["as"], request)
        kept = {n: v for n, v in headers if n in KEPT_HEADERS}
        body = parse_body(text, kept.get("content-type", ""))
        for name, where in step.get("save", {}).items():
            try:
                names[name] = pick(body, where)
            except (KeyError, IndexError, TypeError, StopIteration):
                print(f"  step {number}: no {where} in {status} {text[:300]}", flush=True)
                failed += 1
        if status >= 500:
            print(f"  step {number}: {status} to {request} {text[:300]}", flush=True)
        reply = {"status": status}
        headers = {n: normaliser.text(v, names, n) for n, v in sorted(kept.items())}
        if headers.get("content-type") != "application/json" or len(headers) > 1:
            reply["headers"] = headers
        if body is not None:
            reply["body"] = normaliser.value(error_only(body), names)
        if re.search(r"[?&](sort_key|limit)=", written["path"]):
            reply["ordered"] = True
        out.append(dict(step, reply=reply))
    document = {"about": about, "steps": out}
    target = path.with_suffix(".json")
    target.write_text(compact(document) + "\n")
    clean(server)
    print(f"{path}: {len(out)} steps, {failed} not as the scenario says", flush=True)


def compact(document):
    """One step a line, so that a change of one reply is a change of one line."""
    lines = [json.dumps(step, sort_keys=True, ensure_ascii=False) for step in document["steps"]]
    about = json.dumps(document["about"], ensure_ascii=False)
    return '{"about": ' + about + ',\n "steps": [\n' + ",\n".join(lines) + "\n]}"


def clean(server):
    """Deletes what the scenario left, so that the next one begins with nothing."""
    kinds = ["trunks", "ports", "subnets", "networks", "subnetpools", "address-scopes",
             "security-groups", "address-groups", "rbac-policies"]
    for kind in kinds:
        key = kind.replace("-", "_")
        for name, project in server.projects.items():
            path = f"/v2.0/{kind}?fields=id&project_id={project}"
            status, _, text = server.ask("admin", {"method": "GET", "path": path})
            if status != 200:
                continue
            for one in json.loads(text)[key]:
                server.ask("admin", {"method": "DELETE", "path": f"/v2.0/{kind}/{one['id']}"})


# ---------------------------------------------------------------- checking

def differences(expected, actual, names, where="", ordered=False):
    """Yields a line for each place where a reply is not as recorded."""
    if expected == "<any>":
        return
    if isinstance(expected, dict):
        if not isinstance(actual, dict):
            yield f"{where}: {show(actual)} instead of an object"
            return
        for key in sorted((set(expected) | set(actual)) - IGNORED_KEYS):
            inner = f"{where}.{key}" if where else key
            if key not in actual:
                yield f"{inner}: missing; recorded is {show(expected[key])}"
            elif key not in expected:
                yield f"{inner}: {show(actual[key])} where nothing is recorded"
            else:
                in_order = ordered or key == "dns_nameservers"
                yield from differences(expected[key], actual[key], names, inner, in_order)
    elif isinstance(expected, list):
        yield from list_differences(expected, actual, names, where, ordered)
    elif not matches(expected, actual, names):
        yield f"{where}: {show(actual)} instead of {show(expected)}"


def list_differences(expected, actual, names, where, ordered):
    if not isinstance(actual, list):
        yield f"{where}: {show(actual)} instead of a list"
        return
    if len(expected) != len(actual):
        yield f"{where}: {len(actual)} elements instead of {len(expected)}"
        return
    rest = list(actual)
    for index, one in enumerate(expected):
        def distance(other):
            return len(list(differences(one, other, names)))
        best = rest[0] if ordered else min(rest, key=distance)
        rest.remove(best)
        yield from differences(one, best, names, f"{where}[{index}]")


def matches(expected, actual, names):
    if expected == "<any>":
        return True
    if expected == "<int>":
        return isinstance(actual, int) and not isinstance(actual, bool)
    if not isinstance(expected, str) or not isinstance(actual, str):
        return expected == actual and isinstance(expected, bool) == isinstance(actual, bool)
    pattern = ""
    for part in re.split(r"(\$\{[^}]+\}|<[a-z]+>)", expected):
        if part.startswith("${"):
            pattern += re.escape(str(names.get(part[2:-1], part)))
        else:
            pattern += PLACEHOLDER.get(part, re.escape(part))
    return re.fullmatch(pattern, actual) is not None


def show(value):
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) < 200 else text[:200] + "…"


def check(path, base, keystone, stop_early):
    document = json.loads(path.read_text())
    projects, identities = keystone.identities() if keystone else header_identities()
    server = Server(base, identities, projects)
    names = {f"project.{name}": value for name, value in projects.items()}
    names["base"] = server.base
    wrong = 0
    for number, step in enumerate(document["steps"], 1):
        try:
            request = fill(step["request"], names)
        except KeyError as missing:
            print(f"{path}:{number}: skipped, no {missing} was saved")
            wrong += 1
            continue
        status, headers, text = server.ask(step["as"], request)
        found = list(step_differences(step, status, dict(headers), text, names))
        if found:
            wrong += 1
            said = step["request"]
            print(f"{path}:{number}: {step['as']} {said['method']} {said['path']} "
                  f"{show(said.get('body', said.get('raw', '')))}")
            for line in found:
                print(f"    {line}")
            if status >= 400:
                print(f"    says {text[:300]}")
            if stop_early:
                break
    clean(server)
    print(f"{path}: {len(document['steps']) - wrong} of {len(document['steps'])} steps alike",
          flush=True)
    return wrong


def step_differences(step, status, headers, text, names):
    reply = step["reply"]
    if reply["status"] >= 500:
        # Where the recorded server broke down, anything but another breakdown is right.
        if status >= 500:
            yield f"status {status} instead of an answer"
        return
    if status != reply["status"]:
        yield f"status {status} instead of {reply['status']}"
    expected_headers = reply.get("headers", {"content-type": "application/json"})
    for name, value in expected_headers.items():
        if not matches(value, headers.get(name), names):
            yield f"header {name}: {headers.get(name)!r} instead of {value!r}"
    body = parse_body(text, headers.get("content-type", ""))
    for name, where in step.get("save", {}).items():
        try:
            names[name] = pick(body, where)
        except (KeyError, IndexError, TypeError, StopIteration):
            yield f"nothing at {where} to save as {name}"
    if status == reply["status"]:
        ordered = reply.get("ordered", False)
        if reply.get("body") is None and body is None:
            return
        yield from differences(reply.get("body"), error_only(body), names, "", ordered)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=["record", "check"])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--url", default=os.environ.get("NETWORK_URL", "http://127.0.0.1:19696"))
    parser.add_argument("--keystone", default="http://127.0.0.1:15000/v3")
    parser.add_argument("--password", default=os.environ.get("OS_PASSWORD", "secret"))
    parser.add_argument("--identity", choices=["headers", "keystone"], default="headers",
                        help="how check tells the server who asks")
    parser.add_argument("--ignore", default="", help="keys of replies to leave out, with commas")
    parser.add_argument("--stop-early", action="store_true", help="stop at a first difference")
    options = parser.parse_args()
    wrong = 0
    IGNORED_KEYS.update(filter(None, options.ignore.split(",")))
    by_token = options.mode == "record" or options.identity == "keystone"
    keystone = Keystone(options.keystone, options.password) if by_token else None
    for path in options.files:
        if options.mode == "record":
            record(path, options.url, keystone)
        else:
            wrong += check(path, options.url, keystone, options.stop_early)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
