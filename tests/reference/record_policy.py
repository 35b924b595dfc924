#!/usr/bin/env python3
"""Asks the real Neutron policy engine and writes down what it answers.

Needs a Python environment with neutron, neutron-lib and oslo.policy. Writes, next to itself:

  policy_matrix.txt    every default rule x every caller x every target
  policy_language.txt  random expressions of the oslo.policy language x callers x targets

Nothing here is Neutron's code: it is loaded as a library, with default options and no policy file.
Parents (networks, security groups, extension parents) are served by the stand-in plugin below.
"""

import importlib
import json
import logging
import pathlib
import pkgutil
import random
import warnings

warnings.simplefilter('ignore')

from neutron_lib.api import attributes
from neutron_lib.api import definitions
from neutron_lib import context
from neutron_lib.plugins import directory
from neutron_lib.services import constants as service
from oslo_config import cfg
from oslo_policy import _parser
from oslo_policy import policy as oslo

logging.disable(logging.CRITICAL)
HERE = pathlib.Path(__file__).parent

OWN, OTHER, USER = 'p-own', 'p-other', 'u-1'
NETWORKS = {
    'n-own': {'project_id': OWN, 'shared': False},
    'n-other': {'project_id': OTHER, 'shared': False},
    'n-shared': {'project_id': OTHER, 'shared': True},
}
OWNERS = {'own': {'project_id': OWN}, 'other': {'project_id': OTHER}}


class Parents:
    """Answers the look-ups of parents; ids say who the owner is."""

    def get_network(self, _context, network_id, fields=None):
        return NETWORKS[network_id]

    def get_security_group(self, _context, group_id, fields=None):
        return OWNERS[group_id]

    get_policy = get_floatingip = get_router = get_local_ip = get_security_group


CALLERS = {
    'none': dict(project_id=OWN),
    'reader': dict(project_id=OWN, roles=['reader']),
    'member': dict(project_id=OWN, roles=['member', 'reader']),
    'manager': dict(project_id=OWN, roles=['manager', 'member', 'reader']),
    'admin': dict(project_id=OWN, roles=['admin', 'manager', 'member', 'reader']),
    'upper_case_member': dict(project_id=OWN, roles=['Member', 'READER']),
    'service': dict(project_id=OWN, roles=['service']),
    'member_through_service': dict(
        project_id=OWN, roles=['member', 'reader'], service_roles=['service']),
    'advsvc': dict(project_id=OWN, roles=['advsvc']),
    'integrator': dict(project_id=OWN, roles=['data_plane_integrator', 'member', 'reader']),
    'system_admin': dict(system_scope='all', roles=['admin', 'manager', 'member', 'reader']),
    'system_reader': dict(system_scope='all', roles=['reader']),
    'domain_admin': dict(domain_id='d-1', roles=['admin', 'manager', 'member', 'reader']),
}

TARGETS = {
    'own': {'project_id': OWN},
    'other': {'project_id': OTHER},
    'other_on_own_network': {'project_id': OTHER, 'network_id': 'n-own'},
    'own_on_other_network': {'project_id': OWN, 'network_id': 'n-other'},
    'other_on_shared_network': {'project_id': OTHER, 'network_id': 'n-shared'},
    'other_shared': {'project_id': OTHER, 'network_id': 'n-other', 'shared': True},
    'other_not_shared': {'project_id': OTHER, 'network_id': 'n-shared', 'shared': False},
    'other_external': {
        'project_id': OTHER, 'network_id': 'n-other', 'router:external': True},
    'own_group_of_other': {'project_id': OTHER, 'security_group_id': 'own'},
    'other_group': {
        'project_id': OTHER, 'security_group_id': 'other', 'belongs_to_default_sg': True},
    'own_parent': {'project_id': OTHER, 'ext_parent_policy_id': 'own'},
    'other_parent': {'project_id': OTHER, 'ext_parent_policy_id': 'other'},
    'own_network_port': {
        'project_id': OWN, 'network_id': 'n-own', 'device_owner': 'network:dhcp'},
    'own_compute_port': {
        'project_id': OWN, 'network_id': 'n-other', 'device_owner': 'compute:nova'},
    'own_rbac_to_all': {'project_id': OWN, 'target_tenant': '*', 'target_project': '*'},
    'own_rbac_to_one': {'project_id': OWN, 'target_tenant': 'x', 'target_project': 'x'},
}


def load_engine():
    """The engine as a server has it: attribute maps first, then the rules."""
    for module in pkgutil.iter_modules(definitions.__path__):
        definition = importlib.import_module(f'{definitions.__name__}.{module.name}')
        for kind, names in getattr(definition, 'RESOURCE_ATTRIBUTE_MAP', {}).items():
            attributes.RESOURCES.setdefault(kind, {}).update(names)
    from neutron.extensions import securitygroup
    from neutron.extensions import security_groups_default_rules  # noqa: F401
    for kind, names in securitygroup.RESOURCE_ATTRIBUTE_MAP.items():
        attributes.RESOURCES.setdefault(kind, {}).update(names)
    from neutron import policy
    cfg.CONF([], project='neutron', default_config_files=[])
    policy.init(suppress_deprecation_warnings=True)
    directory.add_plugin('CORE', Parents())
    for alias in service.EXT_PARENT_RESOURCE_MAPPING.values():
        directory.add_plugin(alias, Parents())
    return policy._ENFORCER


def caller(name):
    return context.Context(user_id=USER, **CALLERS[name])


def verdict(engine, rule, who, target):
    """`+` allowed, `-` denied, `!` the engine gave up with an error (its API answers 500)."""
    try:
        return '+' if engine.enforce(rule, dict(target), who) else '-'
    except Exception:
        return '!'


def write_matrix(engine):
    callers = {name: caller(name) for name in CALLERS}
    groups = {}
    for rule in sorted(engine.registered_rules):
        rows = tuple(f'  {name:<23}' + ''.join(verdict(engine, rule, who, t)
                                              for t in TARGETS.values())
                     for name, who in callers.items())
        groups.setdefault(rows, []).append(rule)
    lines = ['# What Neutron 29.0.0 answers; made by record_policy.py. Rules that answer alike',
             '# share a table: one row per caller, one letter per target:',
             '# + allowed, - denied, ! its engine raised an error.',
             '# targets: ' + ' '.join(TARGETS)]
    for rows, rules in groups.items():
        lines += rules
        lines += rows
    (HERE / 'policy_matrix.txt').write_text('\n'.join(lines) + '\n')


ATOMS = [
    '@', '!', 'role:admin', 'role:member', 'role:MEMBER', 'role:reader', 'role:%(wanted_role)s',
    'rule:owner', 'rule:shared', 'rule:admin_only', 'rule:no_such_rule', 'rule:network_owner',
    'project_id:%(project_id)s', 'project_id:%(network:project_id)s', 'user_id:%(user_id)s',
    'user_id:u-1', 'project_id:%(security_group:project_id)s', 'is_admin:True', 'is_admin:False',
    'system_scope:all', 'system_scope:None', 'system:all', 'domain_id:%(domain_id)s',
    'service_roles:service', 'service_roles:SERVICE', 'roles:member', 'roles:admin',
    'user_domain_id:None', 'no_such_attribute:x', "'net-1':%(name)s", '"net-1":%(name)s',
    'True:%(shared)s', 'False:%(shared)s', 'None:%(description)s', '1500:%(mtu)s', '-1:%(limit)s',
    'user_id:%(user_prefix)s-1', 'user_id:u%(dash)s1', "'100%%':%(percent)s",
    'field:networks:shared=True', 'field:networks:shared=true', 'field:networks:shared=0',
    'field:networks:router:external=True', 'field:port:device_owner=~^network:',
    'field:port:device_owner=~net', 'field:port:device_owner=~.*dhcp$',
    'field:port:device_owner=~(network|compute):[a-z]+', 'field:networks:name=net-1',
    'field:networks:name=', 'field:no_such:name=net-1', 'field:network:shared=True',
    'field:networks:description=None', 'field:networks:mtu=1500', 'role:admin)(role:member',
]
LANGUAGE_TARGETS = {
    'own_network': {
        'project_id': OWN, 'user_id': USER, 'shared': False, 'router:external': False,
        'name': 'net-1', 'description': None, 'mtu': 1500, 'wanted_role': 'member',
        'user_prefix': 'u', 'dash': '-', 'limit': -1, 'percent': '100%'},
    'shared_network': {
        'project_id': OTHER, 'user_id': 'u-2', 'shared': True, 'router:external': True,
        'name': '', 'description': 'x', 'mtu': 9000, 'wanted_role': 'Admin',
        'domain_id': 'd-1', 'user_prefix': 'v', 'dash': '+'},
    'port': {
        'project_id': OTHER, 'network_id': 'n-own', 'device_owner': 'network:dhcp',
        'security_group_id': 'own'},
    'shared_port': {
        'project_id': OWN, 'network_id': 'n-shared', 'device_owner': 'compute:nova',
        'security_group_id': 'other'},
    'nothing': {},
}
LANGUAGE_CALLERS = ['none', 'member', 'admin', 'member_through_service', 'system_admin',
                    'domain_admin']
NOT_RULES = [
    ' ', '()', '(role:admin', 'role:admin)', 'role:admin role:member', 'and', 'role:admin or',
    'or role:admin', 'not', 'role:admin and and role:member', 'role_admin', "'role:admin'",
    'role:admin not role:member',
]


def random_rule(dice, depth):
    """Any expression, in any spelling of operators, spaces and superfluous parentheses."""
    pick = dice.random()
    if depth == 0 or pick < 0.25:
        text = dice.choice(ATOMS)
    elif pick < 0.45:
        text = dice.choice(['not ', 'NOT ', 'not  ']) + tight(dice, depth - 1)
    else:
        joiner = [' and ', ' AND  '] if pick < 0.72 else [' or ', '\tOr ']
        text = dice.choice(joiner).join(
            random_rule(dice, depth - 1) for _ in range(dice.randint(2, 3)))
    return f'({text})' if dice.random() < 0.25 else text


def tight(dice, depth):
    text = random_rule(dice, depth)
    return f'( {text} )' if ' ' in text and dice.random() < 0.7 else text


def write_language(engine):
    dice = random.Random(20)
    rules = [''] + ATOMS + [random_rule(dice, 4) for _ in range(600)]
    rules += [[], [[]], [['role:admin']], ['role:admin', 'role:member'],
              [['role:member', 'project_id:%(project_id)s'], ['role:admin']],
              [['role:reader'], 'rule:shared', []]]
    out = ['# What oslo.policy with the checks of Neutron 29.0.0 answers; made by',
           '# record_policy.py. A line: rule as JSON, a tab, verdicts (+ - !), callers outermost.',
           '# callers: ' + ' '.join(LANGUAGE_CALLERS),
           '# targets: ' + ' '.join(LANGUAGE_TARGETS)]
    for rule in rules:
        check = _parser.parse_rule(rule)
        row = ''.join(verdict(engine, check, caller(who), t)
                      for who in LANGUAGE_CALLERS for t in LANGUAGE_TARGETS.values())
        out.append(f'{json.dumps(rule)}\t{row}')
    for rule in NOT_RULES:
        assert str(_parser.parse_rule(rule)) == '!', rule
        out.append(f'{json.dumps(rule)}\tsyntax')
    (HERE / 'policy_language.txt').write_text('\n'.join(out) + '\n')


if __name__ == '__main__':
    ENGINE = load_engine()
    write_matrix(ENGINE)
    write_language(ENGINE)
