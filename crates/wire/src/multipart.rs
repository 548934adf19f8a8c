//! Forms with files (`multipart/form-data`, RFC 7578), read as they come and never collected: finds the
//! part named `model`, and says which bytes may go on.
//!
//! What was authorised must be what is sent, so whatever two readers could understand differently is
//! refused: bare line feeds, folded or repeated headers, escapes in names, a boundary that goes on.
//! [`disposition`] reads the headers of a part.

mod disposition;

use bytes::{Bytes, BytesMut};
use memchr::memmem;
use pointsman_core::{ErrorCode, PublicError};

use self::disposition::part_name;

/// The field that is acted on.
const MODEL: &str = "model";
/// Longest header block of a part, in bytes.
const MAX_PART_HEADERS: usize = 8 * 1024;
/// Longest model name, in bytes.
const MAX_MODEL_BYTES: usize = 512;
/// Longest boundary (RFC 2046, section 5.1.1), in bytes.
const MAX_BOUNDARY_BYTES: usize = 70;

/// What may be sent on, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// The client's own bytes.
    Bytes(Bytes),
    /// The value of `model` stood here; its bytes are left out.
    Model,
}

/// Why a form was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// The content type is not that of a form, or its boundary cannot be used.
    #[error("the content type must be `multipart/form-data` with one boundary of 1 to 70 characters")]
    ContentType,
    /// Something in the form can be read in two ways, or in none.
    #[error("the form is malformed: {0}")]
    Malformed(&'static str),
    /// `model` stands there twice, or in another case.
    #[error("the form has more than one `model`")]
    DuplicateModel,
    /// The value of `model` is no name.
    #[error("`model` must be a text of at most {MAX_MODEL_BYTES} bytes without control characters")]
    BadModel,
    /// The body ended before the form did.
    #[error("the form broke off before its last boundary")]
    BrokenOff,
}

impl From<FormError> for PublicError {
    fn from(error: FormError) -> Self {
        let code = match error {
            FormError::DuplicateModel => ErrorCode::DuplicateKey,
            _ => ErrorCode::InvalidRequest,
        };
        let public = Self::new(code, error.to_string());
        match error {
            FormError::DuplicateModel | FormError::BadModel => public.at(MODEL),
            _ => public,
        }
    }
}

/// Where in a form the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before the first boundary.
    Start,
    /// Behind a boundary: another part follows, or the end.
    Boundary,
    /// In the headers of a part.
    Headers,
    /// In a part's content.
    Content { model: bool },
    /// Behind the last boundary.
    End,
}

/// Reads one form. Feed it with [`FormScanner::push`], then call [`FormScanner::finish`].
#[derive(Debug)]
pub struct FormScanner {
    /// `\r\n--` and the boundary.
    delimiter: Vec<u8>,
    state: State,
    /// Bytes that are not judged yet.
    buffer: BytesMut,
    model: Option<String>,
}

impl FormScanner {
    /// A scanner for a body of this content type.
    ///
    /// # Errors
    /// [`FormError::ContentType`].
    pub fn new(content_type: &str) -> Result<Self, FormError> {
        let boundary = boundary(content_type).ok_or(FormError::ContentType)?;
        let delimiter = [b"\r\n--", boundary.as_bytes()].concat();
        Ok(Self { delimiter, state: State::Start, buffer: BytesMut::new(), model: None })
    }

    /// The content type to send on: one boundary and nothing else.
    #[must_use]
    pub fn content_type(&self) -> String {
        let boundary = String::from_utf8_lossy(self.delimiter.get(4..).unwrap_or_default());
        format!("multipart/form-data; boundary=\"{boundary}\"")
    }

    /// The value of `model`, once it was seen.
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// Whether the last boundary was seen.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.state == State::End
    }

    /// Bytes that are held because they are not judged yet.
    #[must_use]
    pub fn held(&self) -> usize {
        self.buffer.len()
    }

    /// Takes the next bytes; what may be sent on is added to `out`.
    ///
    /// # Errors
    /// The form is refused; nothing that came after the fault is in `out`.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<Piece>) -> Result<(), FormError> {
        self.buffer.extend_from_slice(chunk);
        while self.step(out)? {}
        Ok(())
    }

    /// The body has ended.
    ///
    /// # Errors
    /// [`FormError::BrokenOff`].
    pub fn finish(&self) -> Result<(), FormError> {
        if self.is_complete() { Ok(()) } else { Err(FormError::BrokenOff) }
    }

    /// Judges the next bytes; `false` where more of them are needed.
    fn step(&mut self, out: &mut Vec<Piece>) -> Result<bool, FormError> {
        match self.state {
            State::Start => self.opening(out),
            State::Boundary => self.after_boundary(out),
            State::Headers => self.headers(out),
            State::Content { model: true } => self.model_value(out),
            State::Content { model: false } => Ok(self.content(out)),
            State::End => self.epilogue(out),
        }
    }

    fn opening(&mut self, out: &mut Vec<Piece>) -> Result<bool, FormError> {
        let opening = self.delimiter.get(2..).unwrap_or_default();
        let seen = self.buffer.len().min(opening.len());
        if self.buffer.get(..seen) != opening.get(..seen) {
            return Err(FormError::Malformed("it does not begin with its boundary"));
        }
        if seen < opening.len() {
            return Ok(false);
        }
        self.emit(seen, out);
        self.state = State::Boundary;
        Ok(true)
    }

    fn after_boundary(&mut self, out: &mut Vec<Piece>) -> Result<bool, FormError> {
        self.state = match self.buffer.get(..2) {
            None => return Ok(false),
            Some(b"\r\n") => State::Headers,
            Some(b"--") => State::End,
            Some(_) => return Err(FormError::Malformed("a boundary is followed by something else")),
        };
        self.emit(2, out);
        Ok(true)
    }

    fn headers(&mut self, out: &mut Vec<Piece>) -> Result<bool, FormError> {
        let end = memmem::find(&self.buffer, b"\r\n\r\n");
        let length = end.map_or(self.buffer.len(), |end| end + 4);
        if length > MAX_PART_HEADERS {
            return Err(FormError::Malformed("the headers of a part are too long"));
        }
        let Some(end) = end else { return Ok(false) };
        let name = part_name(&self.buffer[..end])?;
        let model = name.field.eq_ignore_ascii_case(MODEL);
        if model && (self.model.is_some() || name.field != MODEL) {
            return Err(FormError::DuplicateModel);
        }
        if model && !name.plain {
            return Err(FormError::BadModel);
        }
        self.emit(length, out);
        self.state = State::Content { model };
        Ok(true)
    }

    fn content(&mut self, out: &mut Vec<Piece>) -> bool {
        match memmem::find(&self.buffer, &self.delimiter) {
            Some(at) => {
                self.emit(at + self.delimiter.len(), out);
                self.state = State::Boundary;
                true
            }
            None => {
                // A delimiter may have begun.
                self.emit(self.buffer.len().saturating_sub(self.delimiter.len() - 1), out);
                false
            }
        }
    }

    fn model_value(&mut self, out: &mut Vec<Piece>) -> Result<bool, FormError> {
        let end = memmem::find(&self.buffer, &self.delimiter);
        if end.unwrap_or(self.buffer.len().saturating_sub(self.delimiter.len())) > MAX_MODEL_BYTES {
            return Err(FormError::BadModel);
        }
        let Some(end) = end else { return Ok(false) };
        let value = self.buffer.split_to(end);
        let text = std::str::from_utf8(&value).map_err(|_| FormError::BadModel)?;
        if text.chars().any(char::is_control) {
            return Err(FormError::BadModel);
        }
        self.model = Some(text.to_owned());
        out.push(Piece::Model);
        self.emit(self.delimiter.len(), out);
        self.state = State::Boundary;
        Ok(true)
    }

    /// A line end may follow; a reader that goes on must find nothing.
    fn epilogue(&mut self, out: &mut Vec<Piece>) -> Result<bool, FormError> {
        if self.buffer.iter().any(|byte| !matches!(byte, b'\r' | b'\n')) {
            return Err(FormError::Malformed("something follows the last boundary"));
        }
        self.emit(self.buffer.len(), out);
        Ok(false)
    }

    fn emit(&mut self, length: usize, out: &mut Vec<Piece>) {
        if length > 0 {
            out.push(Piece::Bytes(self.buffer.split_to(length).freeze()));
        }
    }
}

/// The boundary of `multipart/form-data`, which must be the only parameter of that name.
fn boundary(content_type: &str) -> Option<&str> {
    let (kind, mut rest) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let mut found = None;
    loop {
        let (name, value) = rest.split_once('=')?;
        let value = value.trim_start();
        let (value, tail) = match value.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => {
                let end = value.find(';').unwrap_or(value.len());
                let (value, tail) = value.split_at(end);
                (value.trim_end(), tail)
            }
        };
        if name.trim().eq_ignore_ascii_case("boundary") && found.replace(value).is_some() {
            return None;
        }
        match tail.trim_start() {
            "" => break,
            tail => rest = tail.strip_prefix(';')?,
        }
    }
    found.filter(|text| (1..=MAX_BOUNDARY_BYTES).contains(&text.len()) && text.bytes().all(is_boundary_byte))
}

/// RFC 2046's `bcharsnospace`.
const fn is_boundary_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'\'' | b'(' | b')' | b'+' | b'_' | b',' | b'-' | b'.' | b'/' | b':' | b'=' | b'?')
}

#[cfg(test)]
mod tests;
