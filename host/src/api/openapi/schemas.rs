//! The schemas of what is sent and what is answered, under the names of `components/schemas`.
//!
//! Requests are strict: an object of theirs has no fields but those of its schema. Answers are open: a field may be added. So a
//! struct stands in requests or in answers, never in both; ids and words, which are the same in both, are shared.

use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::transform::{RecursiveTransform, Transform};
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value};

use crate::api::describe::Content;

/// What was named so far.
pub(crate) struct Schemas {
    requests: SchemaGenerator,
    answers: SchemaGenerator,
}

impl Schemas {
    pub(crate) fn new() -> Self {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        });
        let strict = settings.clone().for_deserialize().with_transform(RecursiveTransform(refuse_other_fields));
        Self { requests: strict.into_generator(), answers: settings.for_serialize().into_generator() }
    }

    /// A JSON body that is sent.
    pub(crate) fn request<T: JsonSchema>(&mut self) -> Content {
        let mut schema = self.requests.subschema_for::<T>();
        let example = example(&schema, self.requests.definitions());
        RecursiveTransform(refuse_other_fields).transform(&mut schema);
        Content { media_type: "application/json", schema: schema.to_value(), example }
    }

    /// A JSON body that is answered.
    pub(crate) fn answer<T: JsonSchema>(&mut self) -> Content {
        let schema = self.answers.subschema_for::<T>();
        let example = example(&schema, self.answers.definitions());
        Content { media_type: "application/json", schema: schema.to_value(), example }
    }

    /// The parts of a tuple in their order, or the one thing that it is.
    pub(crate) fn parts<T: JsonSchema>(&mut self) -> Vec<Value> {
        let schema = self.requests.subschema_for::<T>();
        match schema.get("prefixItems") {
            Some(Value::Array(parts)) => parts.clone(),
            _ => vec![schema.to_value()],
        }
    }

    /// All that was named, and the names under which two different things stand, of which there should be none.
    pub(crate) fn finish(mut self) -> (Map<String, Value>, Vec<String>) {
        let mut all = self.answers.take_definitions(true);
        let mut ambiguous = Vec::new();
        for (name, schema) in self.requests.take_definitions(true) {
            if all.get(&name).is_some_and(|other| *other != schema) {
                ambiguous.push(name);
            } else {
                all.insert(name, schema);
            }
        }
        ambiguous.sort_unstable();
        (all, ambiguous)
    }
}

/// The first example that a schema gives, or the one that it refers to.
pub(crate) fn example(schema: &Schema, named: &Map<String, Value>) -> Option<Value> {
    let reference = schema.get("$ref").and_then(Value::as_str);
    let whole = match reference {
        Some(reference) => named.get(reference.rsplit('/').next()?)?,
        None => schema.as_value(),
    };
    whole.get("examples")?.get(0).cloned()
}

fn refuse_other_fields(schema: &mut Schema) {
    if schema.get("properties").is_some() && schema.get("additionalProperties").is_none() {
        schema.insert("additionalProperties".to_owned(), false.into());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(JsonSchema)]
    #[schemars(example = json!({ "inner": { "word": "a" } }))]
    #[allow(dead_code, reason = "only its schema is read")]
    struct Outer {
        inner: Inner,
    }

    #[derive(JsonSchema)]
    #[allow(dead_code, reason = "only its schema is read")]
    struct Inner {
        word: String,
    }

    #[test]
    fn requests_are_strict_through_and_through_and_answers_are_open() {
        let mut schemas = Schemas::new();
        let sent = schemas.request::<Outer>();
        assert_eq!(sent.schema, json!({ "$ref": "#/components/schemas/Outer" }));
        assert_eq!(sent.example, Some(json!({ "inner": { "word": "a" } })));
        let (named, _) = schemas.finish();
        assert_eq!(named["Outer"]["additionalProperties"], false);
        assert_eq!(named["Inner"]["additionalProperties"], false);

        let mut schemas = Schemas::new();
        schemas.answer::<Outer>();
        let (named, ambiguous) = schemas.finish();
        assert!(named["Inner"].get("additionalProperties").is_none() && ambiguous.is_empty());
    }

    #[test]
    fn a_struct_in_requests_and_in_answers_is_found_out() {
        let mut schemas = Schemas::new();
        schemas.request::<Outer>();
        schemas.answer::<Outer>();
        assert_eq!(schemas.finish().1, ["Inner", "Outer"]);
    }

    #[test]
    fn a_tuple_falls_into_its_parts() {
        let mut schemas = Schemas::new();
        assert_eq!(schemas.parts::<(String, bool)>(), [json!({ "type": "string" }), json!({ "type": "boolean" })]);
        assert_eq!(schemas.parts::<String>(), [json!({ "type": "string" })]);
    }
}
