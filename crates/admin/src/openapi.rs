//! The OpenAPI 3.1 document, made from the same list of operations as the router.

use axum::Json;
use axum::extract::State;
use serde_json::{Map, Value, json};

use crate::auth;
use crate::operation::{Operation, Schemas, common_answers};
use crate::reply::Error;
use crate::state::AdminState;

/// Where the document is.
pub(crate) const PATH: &str = "/admin/v1/openapi.json";

/// `GET /admin/v1/openapi.json`
pub(crate) async fn serve(State(state): State<AdminState>) -> Json<Value> {
    Json(Value::clone(&state.document))
}

/// The whole document.
pub(crate) fn document(operations: &[Operation], mut schemas: Schemas) -> Value {
    let mut paths = Map::new();
    for operation in operations {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        let open = auth::OPEN.contains(&operation.path);
        path[operation.method.as_str().to_ascii_lowercase()] = operation.document(open);
    }
    schemas.reference::<Error>();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Pointsman admin API",
            "description": "The control plane of Pointsman, an AI model router.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            "version": "1",
        },
        "servers": [{"url": "http://127.0.0.1:4181", "description": "the usual address"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": schemas.finish(),
            "responses": common_answers(),
            "securitySchemes": {"token": {
                "type": "http",
                "scheme": "bearer",
                "description": "The text of `admin.token` in the data folder.",
            }},
        },
    })
}
