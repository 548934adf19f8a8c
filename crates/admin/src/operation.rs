//! One operation of the API: its handler and its description, kept together so that the document and
//! the router cannot differ. `routes.rs` lists them, `openapi.rs` puts the document together.

use axum::http::Method;
use axum::routing::MethodRouter;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::state::AdminState;

/// Statuses that any operation may answer, besides its own.
const COMMON: [(&str, &str); 8] = [
    ("400", "The query or body is wrong"),
    ("401", "The admin token is missing or wrong"),
    ("403", "The page that asks is of another origin"),
    ("404", "There is no such thing"),
    ("413", "The body is too long"),
    ("429", "Too many at one time"),
    ("503", "The store or the disk does not answer"),
    ("504", "It took too long"),
];

/// A path with a method.
pub(crate) struct Operation {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) handler: MethodRouter<AdminState>,
    id: &'static str,
    summary: &'static str,
    parameters: Vec<Value>,
    body: Option<Value>,
    answers: Map<String, Value>,
}

impl Operation {
    /// An operation that answers nothing yet.
    pub(crate) fn new(
        method: Method,
        path: &'static str,
        id: &'static str,
        summary: &'static str,
        handler: MethodRouter<AdminState>,
    ) -> Self {
        Self { method, path, handler, id, summary, parameters: vec![], body: None, answers: Map::new() }
    }

    /// The fields of `Q` as query parameters.
    pub(crate) fn query<Q: JsonSchema>(self) -> Self {
        self.parameters::<Q>("query")
    }

    /// The fields of `P` as parts of the path.
    pub(crate) fn path_part<P: JsonSchema>(self) -> Self {
        self.parameters::<P>("path")
    }

    /// A header that the caller has to send.
    pub(crate) fn header(mut self, name: &str, description: &str, pattern: &str) -> Self {
        self.parameters.push(json!({
            "name": name, "in": "header", "required": true, "description": description,
            "schema": {"type": "string", "pattern": pattern},
        }));
        self
    }

    /// A body of JSON.
    pub(crate) fn body<B: JsonSchema>(mut self) -> Self {
        let schema = inline::<B>();
        self.body = Some(json!({"required": true, "content": {"application/json": {"schema": schema}}}));
        self
    }

    /// A body of YAML, of which OpenAPI describes what it means and not how it is written.
    pub(crate) fn yaml_body(mut self, media: &str, description: &str) -> Self {
        let schema = json!({"description": description});
        self.body = Some(json!({"required": true, "content": {media: {"schema": schema}}}));
        self
    }

    /// An answer of JSON.
    pub(crate) fn json<A: JsonSchema>(mut self, status: &str, description: &str, g: &mut Schemas) -> Self {
        let schema = g.reference::<A>();
        let content = json!({"application/json": {"schema": schema}});
        self.answers.insert(status.into(), json!({"description": description, "content": content}));
        self
    }

    /// An answer of text.
    pub(crate) fn text(mut self, status: &str, description: &str, media: &str) -> Self {
        let schema = if media.ends_with("yaml") {
            json!({"type": ["object", "null"]})
        } else {
            json!({"type": "string"})
        };
        let content = json!({media: {"schema": schema}});
        self.answers.insert(status.into(), json!({"description": description, "content": content}));
        self
    }

    /// An error besides the common ones.
    pub(crate) fn refuses(mut self, status: &str, description: &str) -> Self {
        self.answers.insert(status.into(), error(description));
        self
    }

    /// The Operation Object (OpenAPI 3.1.1, section 4.8.10). `open`: no credential is asked for.
    pub(crate) fn document(&self, open: bool) -> Value {
        let mut answers = self.answers.clone();
        for (status, _) in COMMON {
            answers
                .entry(status)
                .or_insert_with(|| json!({"$ref": format!("#/components/responses/{status}")}));
        }
        let mut document = json!({
            "operationId": self.id,
            "summary": self.summary,
            "parameters": self.parameters,
            "responses": answers,
        });
        if let Some(body) = &self.body {
            document["requestBody"] = body.clone();
        }
        if open {
            document["security"] = json!([]);
        }
        document
    }

    fn parameters<T: JsonSchema>(mut self, place: &str) -> Self {
        let schema = inline::<T>();
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            let mut field = field.clone();
            without_null(&mut field);
            let description = field.as_object_mut().and_then(|field| field.shift_remove("description"));
            let parameter = json!({
                "name": name,
                "in": place,
                "required": place == "path" || required.contains(&name.as_str()),
                "description": description,
                "schema": field,
            });
            self.parameters.push(parameter);
        }
        self
    }
}

/// Collects the schemas of answers, each once.
pub(crate) struct Schemas(SchemaGenerator);

impl Schemas {
    pub(crate) fn new() -> Self {
        let settings = SchemaSettings::draft2020_12().for_serialize().with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        });
        Self(settings.into_generator())
    }

    pub(crate) fn reference<T: JsonSchema>(&mut self) -> Value {
        self.0.subschema_for::<T>().to_value()
    }

    /// All of them by name.
    pub(crate) fn finish(mut self) -> Value {
        Value::Object(self.0.take_definitions(true))
    }
}

/// The Responses of [`COMMON`], which operations refer to.
pub(crate) fn common_answers() -> Value {
    COMMON
        .iter()
        .map(|(status, description)| ((*status).to_owned(), error(description)))
        .collect::<Map<_, _>>()
        .into()
}

fn error(description: &str) -> Value {
    json!({
        "description": description,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    })
}

/// The schema of what a caller sends, in one piece.
fn inline<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().for_deserialize().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    settings.into_generator().into_root_schema_for::<T>().to_value()
}

/// A parameter that may be absent is never null.
fn without_null(field: &mut Value) {
    if let Some(types) = field["type"].as_array_mut() {
        types.retain(|kind| kind != "null");
        if let [only] = &types[..] {
            field["type"] = only.clone();
        }
    }
    if let Some(fields) = field.as_object_mut() {
        fields.shift_remove("default");
        if fields.get("type").is_some_and(Value::is_null) {
            fields.shift_remove("type");
        }
    }
}
