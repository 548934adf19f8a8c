//! A provider's stream whose tools have other names for the client.

use std::sync::Arc;

use super::bridge::Bridge;
use super::codec::Decode;
use crate::neutral::{DecodeError, Event, Head, Sink, ToolNames};

/// Gives the calls that `inner` reads the client's names.
struct Renamed {
    inner: Box<dyn Decode>,
    names: Arc<ToolNames>,
}

impl Renamed {
    fn event<'e>(names: &'e ToolNames, event: Event<'e>) -> Event<'e> {
        match event {
            Event::Open { block, choice, head: Head::ToolCall { id, item, name, custom } } => {
                let name = names.client(&name).unwrap_or(name);
                Event::Open { block, choice, head: Head::ToolCall { id, item, name, custom } }
            }
            event => event,
        }
    }
}

impl Decode for Renamed {
    fn frame(&mut self, name: &[u8], data: &[u8], sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        let Self { inner, names } = self;
        inner.frame(name, data, &mut |event| sink(Self::event(names, event)))
    }

    fn finish(&mut self, sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        let Self { inner, names } = self;
        inner.finish(&mut |event| sink(Self::event(names, event)))
    }
}

impl<B> Bridge<B> {
    /// The same with the client's names for tools whose names were changed for the provider.
    #[must_use]
    pub fn restoring(self, names: Option<&Arc<ToolNames>>) -> Self {
        match names.cloned() {
            Some(names) => self.map_decoder(|inner| Box::new(Renamed { inner, names })),
            None => self,
        }
    }
}
