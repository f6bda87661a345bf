//! Site settings of media by their usual names.

use dateline_engine::{Error, Result};
use dateline_media::Size;
use serde_json::{Map, Value, json};

/// Renditions of one kind, `baseImage` first: the others are made of it.
pub(crate) type Specs = Vec<(String, Size)>;

/// What a site may set.
pub(crate) struct Settings {
    /// `RENDITIONS.picture`, of items.
    pub(crate) picture: Specs,
    /// `RENDITIONS.avatar`, of files by themselves.
    pub(crate) avatar: Specs,
    /// `MEDIA_PREFIX`: what the address of a file begins with.
    pub(crate) prefix: String,
    /// Not `NO_CUSTOM_CROPS`: the vocabulary `crop_sizes` adds renditions.
    pub(crate) has_custom_crops: bool,
    /// `PHOTO_METADATA_MAPPING` is not written back; what pictures say fills empty fields of their items.
    pub(crate) fills_items: bool,
}

impl Settings {
    /// # Errors
    /// `Invalid` with the name of a setting that has no value of its kind.
    pub(crate) fn read(given: &Map<String, Value>) -> Result<Self> {
        let all = given.get("RENDITIONS").filter(|all| !all.is_null());
        let usual = json!({
            "picture": {
                "thumbnail": {"width": 220, "height": 120},
                "viewImage": {"width": 640, "height": 640},
                "baseImage": {"width": 1400, "height": 1400},
            },
            "avatar": {"thumbnail": {"width": 60, "height": 60}, "viewImage": {"width": 200, "height": 200}},
        });
        let of = |kind: &str| specs(kind, all.and_then(|all| all.get(kind)).unwrap_or(&usual[kind]));
        let flag = |name: &str, usual: bool| match given.get(name) {
            None | Some(Value::Null) => Ok(usual),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(Error::invalid(format!("superdesk.{name}: must be true or false"))),
        };
        let prefix = match given.get("MEDIA_PREFIX") {
            None | Some(Value::Null) => "/api/upload-raw".to_owned(),
            Some(Value::String(text)) => text.trim_end_matches('/').to_owned(),
            Some(_) => return Err(Error::invalid("superdesk.MEDIA_PREFIX: must be a text")),
        };
        Ok(Self {
            picture: of("picture")?,
            avatar: of("avatar")?,
            prefix,
            has_custom_crops: !flag("NO_CUSTOM_CROPS", false)?,
            fills_items: flag("FILL_ITEMS_FROM_METADATA", true)?,
        })
    }
}

fn specs(kind: &str, given: &Value) -> Result<Specs> {
    let wrong = || {
        let text =
            format!("superdesk.RENDITIONS.{kind}: must hold {{name: {{width, height}}}} from 1 to 8000");
        Error::invalid(text)
    };
    let edge = |own: &Value, name: &str| {
        let edge = own.get(name)?.as_u64().filter(|edge| (1..=8000).contains(edge))?;
        u32::try_from(edge).ok()
    };
    let mut specs = Specs::new();
    for (name, own) in given.as_object().ok_or_else(wrong)? {
        let (Some(width), Some(height)) = (edge(own, "width"), edge(own, "height")) else {
            return Err(wrong());
        };
        specs.push((name.clone(), Size { width, height }));
    }
    specs.sort_by_key(|(name, _)| name != "baseImage");
    Ok(specs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_is_first_and_what_is_wrong_is_named() {
        let read = |given: Value| Settings::read(given.as_object().unwrap());
        let usual = read(json!({})).unwrap();
        let names: Vec<&str> = usual.picture.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["baseImage", "thumbnail", "viewImage"]);
        assert!(usual.has_custom_crops && usual.prefix == "/api/upload-raw");
        let own = read(json!({"RENDITIONS": {"picture": {"web": {"width": 9, "height": 8}}}})).unwrap();
        assert_eq!((own.picture.len(), own.avatar.len()), (1, 2));
        for wrong in [
            json!({"RENDITIONS": {"picture": {"web": {"width": 9}}}}),
            json!({"RENDITIONS": {"avatar": 3}}),
            json!({"NO_CUSTOM_CROPS": "no"}),
            json!({"MEDIA_PREFIX": 1}),
        ] {
            assert!(read(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
