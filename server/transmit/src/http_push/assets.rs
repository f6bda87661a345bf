//! Media before the item.

use super::form::Form;
use super::signature::{Keys, Signed};
use super::{HttpPush, lasting, outcome, post, unwritable};
use crate::digest::identity;
use crate::failure::{Code, Failure};
use crate::http::{Endpoint, Outgoing, full};
use crate::limits::MEDIA_MAX;
use crate::media::{MediaError, MediaProvider, MediaReader, Medium};
use crate::transmission::Transmission;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::CONTENT_TYPE;
use hyper::{Request, StatusCode};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::AsyncReadExt;

/// Bytes of a medium that are in memory at a time.
const CHUNK_BYTES: usize = 64 << 10;

impl HttpPush {
    /// Sends the media that the receiver does not have, and says how many those were.
    pub(super) async fn push_media(
        &self,
        transmission: &Transmission,
        provider: &dyn MediaProvider,
        assets: &Endpoint,
        keys: &Keys,
    ) -> Result<u32, Failure> {
        let media = provider.media(transmission).await.map_err(|error| unread(&error))?;
        if media.len() > MEDIA_MAX {
            return Err(lasting(format!("the item has more than {MEDIA_MAX} media")));
        }
        let mut sent = 0;
        for medium in &media {
            if !self.has(assets, medium).await? {
                self.push_medium(transmission, provider, assets, medium, keys).await?;
                sent += 1;
            }
        }
        Ok(sent)
    }

    async fn has(&self, assets: &Endpoint, medium: &Medium) -> Result<bool, Failure> {
        let mut asset = assets.clone();
        // As one segment, whatever is in the id; these would be none.
        let id = match medium.id.as_str() {
            "" | "." | ".." => return Err(lasting("a medium has no usable id")),
            id => id,
        };
        let mut segments = asset.url.path_segments_mut().map_err(|()| lasting("assets_url has no path"))?;
        segments.pop_if_empty().push(id);
        drop(segments);
        let request = Request::get(asset.uri().map_err(lasting)?).body(full(Bytes::new()));
        let request = request.map_err(|_| unwritable())?;
        let reply = self.client.call(request).await.map_err(outcome::no_reply)?;
        match reply.status {
            StatusCode::OK => Ok(true),
            StatusCode::NOT_FOUND => Ok(false),
            _ => Err(outcome::refused(&reply, (self.clock)())),
        }
    }

    async fn push_medium(
        &self,
        transmission: &Transmission,
        provider: &dyn MediaProvider,
        assets: &Endpoint,
        medium: &Medium,
        keys: &Keys,
    ) -> Result<(), Failure> {
        let form = Form::of(medium);
        let id = identity(&[&transmission.id(), &medium.id]);
        let mut signer = keys.signer(&id, (self.clock)());
        // The signature stands before the body, so the medium is read twice rather than held in memory.
        signer.update(&form.before);
        let mut reader = provider.open(medium).await.map_err(|error| unread(&error))?;
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            let count = reader.read(&mut chunk).await.map_err(|error| unread(&error.into()))?;
            match chunk.get(..count) {
                None | Some([]) => break,
                Some(bytes) => signer.update(bytes),
            }
        }
        signer.update(&form.after);
        let signed = signer.finish();
        let reader = provider.open(medium).await.map_err(|error| unread(&error))?;
        let content_type = form.content_type.clone();
        let request = post(assets, &signed)?.header(CONTENT_TYPE, content_type);
        let request = request.body(body(form, reader, &signed)).map_err(|_| unwritable())?;
        let reply = self.client.call(request).await.map_err(outcome::no_reply)?;
        match reply.status {
            StatusCode::OK | StatusCode::CREATED => Ok(()),
            _ => Err(outcome::refused(&reply, (self.clock)())),
        }
    }
}

/// The form as it is sent. A medium that is no longer what was signed breaks the request off.
fn body(form: Form, reader: MediaReader, signed: &Signed) -> Outgoing {
    let file = stream::try_unfold(reader, |mut reader| async move {
        let mut chunk = vec![0; CHUNK_BYTES];
        let count = reader.read(&mut chunk).await?;
        chunk.truncate(count);
        Ok::<_, io::Error>((count > 0).then(|| (Bytes::from(chunk), reader)))
    });
    let whole = stream::iter([Ok(form.before)]).chain(file).chain(stream::iter([Ok(form.after)]));
    let whole = StreamBody::new(whole.map(|bytes| bytes.map(Frame::data)));
    Measured { body: whole.boxed_unsync(), bytes: signed.bytes }.boxed_unsync()
}

/// A body that knows its length. HTTP's own check of the length does the rest.
struct Measured {
    body: Outgoing,
    bytes: u64,
}

impl Body for Measured {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes)
    }
}

fn unread(error: &MediaError) -> Failure {
    Failure::passing(Code::HttpPush, format!("a medium cannot be read: {error}"))
}
