//! Proxies and toxics as asked for in the body of a request, read as a whole before anything is done.
use super::{
    body::{Fields, read_array},
    choice::Choice,
    proxy::Stream,
    registry::Error,
    toxic::{Attributes, Kind, Reach},
};
use crate::{fault, forward::Protocol};

/// A proxy to be created.
#[derive(Debug)]
pub(crate) struct NewProxy {
    pub(super) name: String,
    pub(super) listen: String,
    pub(super) upstream: String,
    pub(super) enabled: bool,
    pub(super) ttl_ms: Option<u64>,
    /// What it speaks, so that rules can break single requests. Not in a real Toxiproxy, which ignores it.
    pub(super) protocol: Option<Protocol>,
    /// On it before the first connection comes in. Not in a real Toxiproxy, which ignores them.
    pub(super) toxics: Vec<NewToxic>,
}

impl NewProxy {
    pub(crate) fn read(fields: &Fields) -> Result<Self, Error> {
        let required = |name: &str| {
            let value = fields.text(name)?.filter(|value| !value.is_empty());
            value.ok_or_else(|| Error::MissingField { field: name.to_owned() })
        };
        let protocol = fields.text("protocol")?.filter(|protocol| !protocol.is_empty());
        let known = |protocol: String| Protocol::named(&protocol).ok_or(Error::InvalidProtocol { protocol });
        Ok(Self {
            name: required("name")?,
            upstream: required("upstream")?,
            listen: fields.text("listen")?.unwrap_or_default(),
            enabled: fields.flag("enabled")?.unwrap_or(true),
            ttl_ms: fields.whole("ttl_ms")?,
            protocol: protocol.map(known).transpose()?,
            toxics: fields.objects("toxics")?.iter().map(NewToxic::read).collect::<Result<_, _>>()?,
        })
    }

    /// Reads an array of them, as `/populate` takes it and a file of proxies holds it.
    pub(crate) fn read_all(json: &[u8]) -> Result<Vec<Self>, Error> {
        let numbered = read_array(json)?.into_iter().zip(1..);
        let read = numbered.map(|(fields, number)| match Self::read(&fields) {
            Err(Error::MissingField { field }) => {
                Err(Error::MissingField { field: format!("{field} at proxy {number}") })
            }
            other => other,
        });
        read.collect()
    }
}

/// A toxic to be put on a link.
#[derive(Debug)]
pub(crate) struct NewToxic {
    pub(super) name: String,
    pub(super) kind: &'static Kind,
    pub(super) stream: Stream,
    /// The stream as it was sent; letters may be in any case.
    pub(super) stream_text: String,
    pub(super) toxicity: f64,
    pub(super) attributes: Attributes,
    pub(super) choice: Choice,
    pub(super) ttl_ms: Option<u64>,
}

impl NewToxic {
    pub(crate) fn read(fields: &Fields) -> Result<Self, Error> {
        let stream_text = fields.text("stream")?.unwrap_or_else(|| "downstream".to_owned());
        let stream = match stream_text.to_ascii_lowercase().as_str() {
            "upstream" => Stream::Upstream,
            "downstream" => Stream::Downstream,
            _ => return Err(Error::InvalidStream),
        };
        let kind = fields.text("type")?.as_deref().and_then(fault::kind).ok_or(Error::InvalidToxicType)?;
        let name = fields.text("name")?.filter(|name| !name.is_empty());
        let name = name.unwrap_or_else(|| format!("{}_{stream_text}", kind.name));
        let given = fields.object("attributes")?;
        let (mut attributes, mut choice) = (Attributes::of(kind), Choice::default());
        attributes.merge(|name| given.whole(name))?;
        choice.merge(|name| given.whole(name))?;
        let toxicity = fields.number("toxicity")?.unwrap_or(1.0);
        check_reach(kind, toxicity, choice)?;
        let ttl_ms = given.whole("ttl_ms")?;
        Ok(Self { name, kind, stream, stream_text, toxicity, attributes, choice, ttl_ms })
    }
}

/// The kernel refuses every connection or none.
pub(super) fn check_reach(kind: &Kind, toxicity: f64, choice: Choice) -> Result<(), Error> {
    let is_whole = toxicity >= 1.0 && choice == Choice::default();
    if kind.reach == Reach::Door && !is_whole { Err(Error::WholeDoor { kind: kind.name }) } else { Ok(()) }
}
