//! `/docs`: what the program can say about itself, as plain pages.

use std::fmt::Write;

use axum::extract::{Path, State};
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::doc::{Access, Doc};
use super::problem::Answer;
use super::routes::Routes;
use crate::app::App;
use crate::eve::problem::{Problem, Slug};

pub(crate) fn routes() -> Routes {
    let page = |summary| Doc::new(summary, "documentation", Access::Public).answer_as(200, "text/html", None);
    Routes::new()
        .get("/docs", index, page("Every operation, by group"))
        .get("/docs/problems", problems, page("Every kind of error"))
        .get("/docs/problems/{slug}", problem, page("One kind of error: what it means and what to do"))
}

async fn index(State(app): State<App>) -> Response {
    page("Dateline", &operations(app.document()))
}

fn operations(document: &Value) -> String {
    let mut rows: Vec<(&str, String)> = Vec::new();
    for (path, methods) in document.get("paths").and_then(Value::as_object).into_iter().flatten() {
        for (method, operation) in methods.as_object().into_iter().flatten() {
            let text = |name: &str| operation.get(name).and_then(Value::as_str).unwrap_or("");
            let tag = operation.pointer("/tags/0").and_then(Value::as_str).unwrap_or("");
            let row = format!(
                "<tr><td><code>{} {}</code></td><td>{}</td><td>{}</td></tr>\n",
                method.to_ascii_uppercase(),
                escape(path),
                escape(text("summary")),
                escape(text("x-privilege"))
            );
            rows.push((tag, row));
        }
    }
    rows.sort_by(|a, b| a.0.cmp(b.0));
    let mut html = String::from(
        "<p>The whole contract as <a href=\"/openapi.json\">OpenAPI 3.1</a>; \
         errors under <a href=\"/docs/problems\">problems</a>.</p>\n",
    );
    let mut rows = rows.into_iter().peekable();
    while let Some(&(tag, _)) = rows.peek() {
        let _ = write!(html, "<h2>{}</h2>\n<table>\n", escape(tag));
        while let Some((_, row)) = rows.next_if(|row| row.0 == tag) {
            html.push_str(&row);
        }
        html.push_str("</table>\n");
    }
    html
}

async fn problems() -> Response {
    let mut html = String::from("<table>\n");
    for slug in Slug::ALL {
        let (name, status, title) = (slug.as_str(), slug.status(), slug.title());
        let _ = writeln!(
            html,
            "<tr><td><a href=\"/docs/problems/{name}\">{name}</a></td><td>{status}</td><td>{}</td></tr>",
            escape(title)
        );
    }
    html.push_str("</table>\n");
    page("Problems", &html)
}

async fn problem(Path(name): Path<String>) -> Answer {
    let Some(slug) = Slug::from_name(&name) else {
        return Err(Problem::new(Slug::NotFound, "there is no problem of this name").into());
    };
    let html = format!(
        "<p>Status {}, <code>type</code> <code>{}</code>.</p>\n<p>{}</p>\n",
        slug.status(),
        slug.as_str(),
        escape(slug.explanation())
    );
    Ok(page(slug.title(), &html))
}

fn page(title: &str, body: &str) -> Response {
    let title = escape(title);
    let html = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title></head>\n\
         <body><h1>{title}</h1>\n{body}</body></html>\n"
    );
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    ];
    (headers, html).into_response()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
