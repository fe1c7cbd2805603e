//! The fields of a JSON object that a client sent, asked for by name. For the dialects whose frames are such objects.

use serde_json::{Map, Value};

/// An object's fields. Where a key stands twice the last one wins, and a null counts as absent: so do the servers
/// that these dialects come from. Every error is a sentence for the sender that names the field.
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    pub(super) fn read(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map(Self).map_err(|_| "a message must be a JSON object".into())
    }

    pub(super) fn text(&self, name: &str) -> Result<&str, String> {
        self.optional_text(name)?.ok_or_else(|| format!("{name} is missing"))
    }

    pub(super) fn optional_text(&self, name: &str) -> Result<Option<&str>, String> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(format!("{name} must be a string")),
        }
    }
}
