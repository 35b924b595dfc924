//! JSON-RPC 1.0 as OVSDB speaks it, both ways on one stream (RFC 7047 §4). Not here: what the
//! methods mean (`session`), who carries the bytes (`connection`).

use serde_json::{Map as JsonObject, Value as Json, json};

/// A message.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// Wants a reply with the same `id`.
    Request {
        /// The sender's choice.
        id: Json,
        /// What is asked.
        method: String,
        /// Of whom or what.
        params: Json,
    },
    /// Wants no reply.
    Notification {
        /// What is told.
        method: String,
        /// Of whom or what.
        params: Json,
    },
    /// Answers a request.
    Reply {
        /// The request's.
        id: Json,
        /// Null on failure.
        result: Json,
        /// Null on success.
        error: Json,
    },
}

impl Message {
    /// Reads a message.
    ///
    /// # Errors
    /// A sentence on what is no message.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let mut message: JsonObject<String, Json> = serde_json::from_slice(text)
            .map_err(|error| format!("a message is no JSON: {error}"))?;
        let mut take = |name: &str| message.remove(name).unwrap_or_default();
        let (id, method, params) = (take("id"), take("method"), take("params"));
        match method {
            Json::String(method) if id.is_null() => Ok(Self::Notification { method, params }),
            Json::String(method) => Ok(Self::Request { id, method, params }),
            Json::Null => Ok(Self::Reply { id, result: take("result"), error: take("error") }),
            _ => Err("the method of a message is no text".to_owned()),
        }
    }
}

/// The text of a request.
#[must_use]
pub fn request(id: u64, method: &str, params: &Json) -> Vec<u8> {
    request_of_text(id, method, &params.to_string())
}

/// The text of a request whose `params` are a text already.
#[must_use]
pub fn request_of_text(id: u64, method: &str, params: &str) -> Vec<u8> {
    format!(r#"{{"id":{id},"method":"{method}","params":{params}}}"#).into_bytes()
}

/// The text of a reply to a request that nobody here knows.
#[must_use]
pub fn refusal(id: &Json) -> Vec<u8> {
    json!({"id": id, "result": null, "error": "unknown method"}).to_string().into_bytes()
}

/// The text of a reply to a request, without error.
#[must_use]
pub fn reply(id: &Json, result: &Json) -> Vec<u8> {
    json!({"id": id, "result": result, "error": null}).to_string().into_bytes()
}
