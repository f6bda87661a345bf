//! Outputs against the schemas that the IPTC publishes, with xmllint and a JSON Schema validator.
//!
//! Where an output must differ from a schema because its readers know it so, the difference is taken out before, and named.

use crate::check;
use crate::world::{World, config, items};
use dateline_formats::Registry;
use serde_json::{Map, Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of the public schemas, or none with the reason printed.
fn folder() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let shared = std::env::var_os("DATELINE_SHARED").map_or(beside, PathBuf::from);
    let schemas = shared.join("schemas");
    if schemas.join("g2/G2.xsd").exists() {
        return Some(schemas);
    }
    skipped("no public schemas beside the repository and none in DATELINE_SHARED");
    None
}

/// Says why something is not tested.
#[expect(clippy::explicit_write, reason = "what the macros print is not shown of a test that passes")]
fn skipped(reason: &str) {
    writeln!(std::io::stderr(), "skipped: {reason}").unwrap();
}

pub(crate) struct Xmllint;

/// The program if it is there; with `REQUIRE_PARTS=1` it has to be.
pub(crate) fn xmllint() -> Option<Xmllint> {
    if Command::new("xmllint").arg("--version").output().is_ok() {
        return Some(Xmllint);
    }
    assert!(std::env::var_os("REQUIRE_PARTS").is_none_or(|value| value != "1"), "xmllint is missing");
    skipped("no xmllint (Debian: libxml2-utils)");
    None
}

impl Xmllint {
    /// What it says about the files, empty when all are well-formed and valid.
    pub(crate) fn complaints(&self, schema: Option<&Path>, files: &[PathBuf]) -> String {
        let mut command = Command::new("xmllint");
        command.args(["--noout", "--nonet"]);
        if let Some(schema) = schema {
            command.arg("--schema").arg(schema);
        }
        let output = command.args(files).output().unwrap();
        if output.status.success() {
            return String::new();
        }
        String::from_utf8_lossy(&output.stderr)
            .lines()
            .filter(|line| !line.ends_with(" validates"))
            .map(|line| format!("{line}\n"))
            .collect()
    }
}

/// Writes every item in a format, changed as `adapt` says, and holds it against a schema.
fn validate(
    id: &str,
    world: &World,
    schema: &str,
    adapt: impl Fn(String) -> String,
    prepare: impl Fn(&mut Value),
) {
    let (Some(folder), Some(xmllint)) = (folder(), xmllint()) else { return };
    let dir = tempfile::tempdir().unwrap();
    let registry = Registry::standard();
    let mut files = Vec::new();
    for (name, mut item) in items() {
        // Codes of this one are no codes in any schema; `hostile` holds it to being well-formed.
        if name == "text-hostile" {
            continue;
        }
        prepare(&mut item);
        let Ok(documents) = world.format(registry.find(id).unwrap(), &item) else { continue };
        let path = dir.path().join(format!("{name}.xml"));
        std::fs::write(&path, adapt(String::from_utf8(documents[0].bytes.clone()).unwrap())).unwrap();
        files.push(path);
    }
    assert!(files.len() >= 10, "{id}: {} files", files.len());
    let complaints = xmllint.complaints(Some(&folder.join(schema)), &files);
    assert!(complaints.is_empty(), "{id} against {schema}:\n{complaints}");
}

fn world(markup: &str) -> World {
    let mut world = World::new();
    world.recipient.config = config(json!({ "body_markup": markup }));
    world
}

#[test]
fn nitf_is_nitf() {
    for markup in ["plain", "enriched"] {
        let mut world = world(markup);
        world.site.names_nitf_schema = true;
        // Readers know companies as `org` in `body.head`, where NITF has no place for them.
        let prepare = |item: &mut Value| {
            item.as_object_mut().unwrap().remove("company_codes");
        };
        validate("nitf", &world, "nitf/nitf-3-6.xsd", |text| text, prepare);
    }
}

#[test]
fn newsml_12_is_newsml_12() {
    for markup in ["plain", "enriched"] {
        let adapt = |text: String| {
            // The XSD gives a namespace to what the DTD has without one.
            let root = "<NewsML xmlns=\"http://iptc.org/std/NewsML/2003-10-10/\">";
            let text = text.replacen("<NewsML>", root, 1);
            // The public identifier is the item's own id, which has its date in the extended form of ISO 8601.
            let id = "<PublicIdentifier>urn:newsml:example:";
            let text = text.replace(&format!("{id}2026-01-30:"), &format!("{id}20260130:"));
            // Readers know the end of an embargo in that form, too.
            text.replace("2026-01-30T12:00:00+00:00", "20260130T120000+0000")
        };
        validate("newsml12", &world(markup), "newsml12/NewsML_1.2.xsd", adapt, |_| {});
    }
}

#[test]
fn newsml_g2_is_newsml_g2() {
    for markup in ["plain", "enriched"] {
        let adapt = |text: String| {
            // Readers know genres by their bare code.
            let text = text.replace("<genre qcode=\"Article\">", "<genre qcode=\"genre:Article\">");
            // And the coordinates of a subject inside it, where the schema has them in assertions only.
            let mut out = String::new();
            let mut rest = text.as_str();
            while let Some((before, after)) = rest.split_once("<geoAreaDetails>") {
                out.push_str(before);
                rest = after.split_once("</geoAreaDetails>").unwrap().1;
            }
            out + rest
        };
        validate("newsmlg2", &world(markup), "g2/G2.xsd", adapt, |_| {});
    }
}

/// The part of our ninjs that the IPTC's knows, under its names, with the files' addresses resolved against a base.
fn core(document: &Value, schema: &Value, base: &str) -> Value {
    let known = |field: &str| schema["properties"].get(field).is_some();
    let mut out = Map::new();
    for (field, value) in document.as_object().unwrap() {
        match field.as_str() {
            "guid" => {
                out.insert("uri".to_owned(), value.clone());
            }
            "associations" | "signal" => {}
            // Readers know dates with a zone of `+0000`, which RFC 3339 does not have.
            "versioncreated" | "firstcreated" | "firstpublished" if known(field) => {
                let rfc_3339 = value.as_str().unwrap().replace("+0000", "+00:00");
                out.insert(field.clone(), rfc_3339.into());
            }
            "renditions" => {
                let mut renditions = value.clone();
                for rendition in
                    renditions.as_object_mut().unwrap().values_mut().filter_map(Value::as_object_mut)
                {
                    ["poi", "media", "duration"].iter().for_each(|own| drop(rendition.shift_remove(*own)));
                    if let Some(href) = rendition.get_mut("href") {
                        *href = format!("{base}{}", href.as_str().unwrap()).into();
                    }
                }
                out.insert(field.clone(), renditions);
            }
            // Vocabularies are known by plain ids, not by addresses.
            "subject" | "genre" | "place" => {
                let mut concepts = value.clone();
                for scheme in concepts.as_array_mut().unwrap().iter_mut().filter_map(|c| c.get_mut("scheme"))
                {
                    *scheme = format!("cv:{}", scheme.as_str().unwrap()).into();
                }
                out.insert(field.clone(), concepts);
            }
            field if field.starts_with("body_") || field.starts_with("description_") || known(field) => {
                out.insert(field.to_owned(), value.clone());
            }
            _ => {}
        }
    }
    Value::Object(out)
}

#[test]
fn ninjs_has_the_core_of_ninjs() {
    let Some(folder) = folder() else { return };
    let world = World::new();
    let registry = Registry::standard();
    for version in ["1.3", "1.6"] {
        let schema = crate::world::read(&folder.join(format!("ninjs/{version}.json")));
        let validator = jsonschema::validator_for(&schema).unwrap();
        let mut count = 0;
        let mut complaints = Vec::new();
        for (name, item) in items() {
            // The IPTC's first ninjs has no events and no plans; guids of hostile items are no addresses.
            if matches!(name.as_str(), "event" | "planning" | "text-hostile") {
                continue;
            }
            for id in ["ninjs", "ninjs2", "ftp ninjs", "newsroom ninjs"] {
                let written = world.format(registry.find(id).unwrap(), &item).unwrap();
                let document = check::json(&written[0], id);
                let inside =
                    document["associations"].as_object().into_iter().flat_map(|found| found.values());
                for part in [&document].into_iter().chain(inside) {
                    // Files beside the document are known by their paths, which are no whole addresses.
                    let base = if id == "ftp ninjs" { "ftp://files.example/" } else { "" };
                    let core = core(part, &schema, base);
                    let errors = validator.iter_errors(&core);
                    complaints.extend(
                        errors.map(|error| format!("{id} {name}: {error} at {}", error.instance_path())),
                    );
                    count += 1;
                }
            }
        }
        assert!(complaints.is_empty(), "against ninjs {version}: {complaints:#?}");
        assert!(count > 60);
    }
}

#[test]
fn ninjs_is_what_its_own_schema_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/ninjs.schema.json");
    let validator = jsonschema::validator_for(&crate::world::read(&path)).unwrap();
    let mut world = World::new();
    let registry = Registry::standard();
    for extends_places in [false, true] {
        world.site.extends_places = extends_places;
        for (name, item) in items() {
            for id in ["ninjs", "ninjs2", "ftp ninjs", "newsroom ninjs"] {
                let written = world.format(registry.find(id).unwrap(), &item).unwrap();
                let document = check::json(&written[0], id);
                let complaints: Vec<String> = validator
                    .iter_errors(&document)
                    .map(|error| format!("{error} at {}", error.instance_path()))
                    .collect();
                assert!(complaints.is_empty(), "{id} {name}: {complaints:#?}");
            }
        }
    }
}
