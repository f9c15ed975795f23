//! `email`: mail that leaves the node.

use rhai::{Engine, Map, Module};

use super::options::{known_options, option, text, text_option};
use super::{Result, function, invalid, thrown};
use crate::picloud::sandbox::email::{self, Message};

pub(crate) fn register(engine: &mut Engine) {
    let mut module = Module::new();
    function(&mut module, "send", |mail: Map| send(&mail));
    function(&mut module, "send_html", |mail: Map| send_html(&mail));
    engine.register_static_module("email", module.into());
}

fn send(mail: &Map) -> Result<String> {
    known_options(mail, &["from", "to", "cc", "bcc", "reply_to", "subject", "text"])?;
    let text = required(mail, "text")?;
    email::send(&message(mail, Some(text), None)?).map_err(thrown)
}

fn send_html(mail: &Map) -> Result<String> {
    known_options(mail, &["from", "to", "cc", "bcc", "reply_to", "subject", "text", "html"])?;
    let html = required(mail, "html")?;
    email::send(&message(mail, text_option(mail, "text")?, Some(html))?).map_err(thrown)
}

fn message(mail: &Map, text: Option<String>, html: Option<String>) -> Result<Message> {
    Ok(Message {
        from: text_option(mail, "from")?,
        to: addresses(mail, "to")?,
        cc: addresses(mail, "cc")?,
        bcc: addresses(mail, "bcc")?,
        reply_to: text_option(mail, "reply_to")?,
        subject: required(mail, "subject")?,
        text,
        html,
    })
}

fn required(mail: &Map, name: &str) -> Result<String> {
    text_option(mail, name)?.ok_or_else(|| invalid(format!("`{name}` is missing: it must be a string")))
}

/// One address, or an array of them; none where there is nothing.
fn addresses(mail: &Map, name: &str) -> Result<Vec<String>> {
    let Some(value) = option(mail, name) else { return Ok(Vec::new()) };
    let Ok(list) = value.as_array_ref() else {
        return match value.as_immutable_string_ref() {
            Ok(one) => Ok(vec![one.to_string()]),
            Err(kind) => Err(invalid(format!("`{name}` is {kind}: it must be a string or an array of strings"))),
        };
    };
    list.iter().enumerate().map(|(index, address)| text(&format!("{name}[{index}]"), address)).collect()
}
