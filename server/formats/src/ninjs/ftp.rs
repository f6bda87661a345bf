//! Media by the names of the files that lie beside the document.

use super::embeds;
use crate::chars::breaks_line;
use crate::context::Context;
use crate::error::Fault;
use crate::item::{Fields, Item};
use crate::renditions::crop_names;
use serde_json::Value;
use std::collections::BTreeSet;

pub(super) fn adapt(out: &mut Fields, item: Item<'_>, context: &Context<'_>) -> Result<(), Fault> {
    let files = Files::of(context);
    files.rename(out);
    if let Some(embedded) = &context.recipient.embeds {
        embeds::drop_others(out, embedded)?;
    }
    if let Some(Value::Object(associations)) = out.get_mut("associations") {
        associations
            .values_mut()
            .filter_map(Value::as_object_mut)
            .for_each(|association| files.rename(association));
    }
    if item.kind().is_some_and(|kind| kind.is_story()) {
        embeds::render(out)?;
    }
    Ok(())
}

/// Where files are, and which are there.
struct Files<'a> {
    folder: String,
    has_original: bool,
    crops: BTreeSet<&'a str>,
}

impl<'a> Files<'a> {
    fn of(context: &Context<'a>) -> Files<'a> {
        let config = Item::from(&context.recipient.config);
        let mut folder = config.text("associated_path").trim_start_matches('/').to_owned();
        if !folder.is_empty() && !folder.ends_with('/') {
            folder.push('/');
        }
        Files { folder, has_original: config.has("include_original"), crops: crop_names(context.site) }
    }

    /// Keeps the renditions that are uploaded, and points them at their files.
    fn rename(&self, fields: &mut Fields) {
        let Some(Value::Object(renditions)) = fields.get_mut("renditions") else { return };
        renditions.retain(|name, _| {
            self.crops.contains(name.as_str()) || (self.has_original && name == "original")
        });
        for rendition in renditions.values_mut().filter_map(Value::as_object_mut) {
            let file = media_file_name(Item::from(&*rendition));
            if !file.is_empty() {
                rendition.insert("href".to_owned(), format!("{}{file}", self.folder).into());
            }
        }
    }
}

/// The name of a rendition's file: the id of its medium (`media`) with the extension of its type (`mimetype`), as `ftp
/// ninjs` refers to it and as it has to be uploaded. Whatever the id, it is one name in one folder; empty without an id.
pub fn media_file_name(rendition: Item<'_>) -> String {
    let media = rendition.scalar("media");
    let name: String = media
        .chars()
        .map(|c| if matches!(c, '/' | '\\' | ':') || breaks_line(c) { '-' } else { c })
        .collect();
    let name = name.trim_start_matches('.');
    if name.is_empty() {
        return String::new();
    }
    let extension = extension(rendition.text("mimetype"));
    if extension.is_empty() || name.ends_with(extension) {
        name.to_owned()
    } else {
        format!("{name}{extension}")
    }
}

fn extension(media_type: &str) -> &'static str {
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    match essence.to_ascii_lowercase().as_str() {
        "image/jpeg" | "image/jpg" | "image/pjpeg" => ".jpg",
        "image/png" => ".png",
        "image/gif" => ".gif",
        "image/webp" => ".webp",
        "image/tiff" => ".tiff",
        "image/svg+xml" => ".svg",
        "audio/mpeg" | "audio/mp3" => ".mp3",
        "audio/flac" | "audio/x-flac" => ".flac",
        "audio/wav" | "audio/x-wav" => ".wav",
        "audio/ogg" => ".ogg",
        "audio/mp4" | "audio/x-m4a" => ".m4a",
        "video/mp4" => ".mp4",
        "video/quicktime" => ".mov",
        "video/webm" => ".webm",
        "video/ogg" => ".ogv",
        "application/pdf" => ".pdf",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_stay_in_their_folder() {
        for (media, media_type, name) in [
            ("a/b", "image/jpeg", "a-b.jpg"),
            ("x.mp3", "audio/mpeg", "x.mp3"),
            ("../../etc/passwd", "audio/flac", "-..-etc-passwd.flac"),
            ("..", "image/jpeg", ""),
            ("c:\\d\r\n", "text/plain; charset=utf-8", "c--d--"),
            ("", "image/jpeg", ""),
            ("a\u{202e}gpj\u{2028}b", "audio/ogg", "a-gpj-b.ogg"),
        ] {
            let rendition = json!({"media": media, "mimetype": media_type});
            assert_eq!(media_file_name(Item::of(&rendition).unwrap()), name);
        }
    }
}
