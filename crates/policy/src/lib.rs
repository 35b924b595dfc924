//! The oslo.policy language: parse an expression, load `policy.yaml`, decide who may do what.
//!
//! Here: the language with Neutron's own checks ([`parse`], [`check`]), the default rules
//! ([`defaults`]), and the [`enforcer`] that puts an operator's overrides over them. Not here:
//! which rules one request needs, and where the attributes of a target come from. The crate is pure
//! and knows nothing of HTTP or SQL. `http:` checks are refused when loading.

pub mod check;
pub mod credentials;
pub mod default_rule;
pub mod defaults;
pub mod enforcer;
pub mod error;
mod field;
#[cfg(any(test, feature = "fuzz"))]
pub mod fuzz;
mod overrides;
pub mod parse;
mod shared_check;
mod template;
