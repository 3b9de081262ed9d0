//! An incremental multipart parser (RFC 2046 §5.1): bytes in as they come, parts out, nothing held but a possible
//! beginning of a delimiter and the headers of one part.

use bytes::{Buf, Bytes, BytesMut};
use memchr::memmem;

use crate::error::{Error, Result};

/// The headers of one part, all lines together.
const PART_HEADER_BYTES_MAX: usize = 16 << 10;
/// White space after a delimiter (RFC 2046 `transport-padding`).
const PADDING_BYTES_MAX: usize = 64;

/// What comes out of the parser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A part begins; its headers, names in lower case.
    Part(Vec<(String, String)>),
    /// The next bytes of the part.
    Data(Bytes),
    /// The part is whole.
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Preamble,
    Headers,
    Body,
    Epilogue,
}

/// The parser. Feed it chunks; ask it at the end whether the body was closed.
pub struct Multipart {
    /// `CRLF -- boundary`
    delimiter: memmem::Finder<'static>,
    /// Bytes not decided on yet: the beginning of a delimiter, or headers.
    carry: BytesMut,
    state: State,
    at: u64,
}

/// What stands at a place where the delimiter's own bytes were found.
enum Mark {
    /// A delimiter: a part begins this many bytes later.
    Open(usize),
    /// The closing delimiter.
    Close,
    /// Too few bytes to say.
    Unknown,
    /// Content that happens to begin like a delimiter.
    Content,
}

impl Multipart {
    /// A parser for parts between delimiters of `boundary` (RFC 2046: 1 to 70 characters).
    pub fn new(boundary: &str) -> Option<Self> {
        if !(1..=70).contains(&boundary.len()) || boundary.contains(['\r', '\n']) {
            return None;
        }
        let delimiter = memmem::Finder::new(["\r\n--", boundary].concat().as_bytes()).into_owned();
        // The first delimiter may stand at the first byte: the CRLF before it is thought in.
        Some(Multipart { delimiter, carry: BytesMut::from("\r\n"), state: State::Preamble, at: 0 })
    }

    /// Takes the next bytes and adds what they complete to `events`.
    ///
    /// # Errors
    /// [`Error::Multipart`] for headers that are too long or no headers.
    pub fn feed(&mut self, chunk: Bytes, events: &mut Vec<Event>) -> Result<()> {
        self.at += chunk.len() as u64;
        let mut input = if self.carry.is_empty() {
            chunk
        } else {
            let mut carry = std::mem::take(&mut self.carry);
            carry.extend_from_slice(&chunk);
            carry.freeze()
        };
        while self.step(&mut input, events)? {}
        self.carry = BytesMut::from(input);
        Ok(())
    }

    /// Whether the closing delimiter was seen. If not, the body was cut and the last part is not whole.
    ///
    /// # Errors
    /// [`Error::Multipart`] when it was not.
    pub fn finish(&self) -> Result<()> {
        match self.state {
            State::Epilogue => Ok(()),
            State::Preamble => Err(self.fault("no part was found; is the boundary the one in Content-Type?")),
            State::Headers | State::Body => Err(self.fault("the body ends before its closing delimiter; send again")),
        }
    }

    fn fault(&self, detail: &'static str) -> Error {
        Error::Multipart { at: self.at, detail }
    }

    /// One step; false when more bytes are needed.
    fn step(&mut self, input: &mut Bytes, events: &mut Vec<Event>) -> Result<bool> {
        match self.state {
            State::Epilogue => {
                input.clear();
                Ok(false)
            }
            State::Headers => self.headers(input, events),
            State::Preamble | State::Body => Ok(self.content(input, events)),
        }
    }

    fn content(&mut self, input: &mut Bytes, events: &mut Vec<Event>) -> bool {
        let mut from = 0;
        while let Some(found) = memmem_from(&self.delimiter, input, from) {
            let after = found + self.delimiter.needle().len();
            match mark(&input[after..]) {
                Mark::Content => from = found + 2,
                Mark::Unknown => {
                    self.emit(input.split_to(found), events);
                    return false;
                }
                Mark::Open(skip) => {
                    self.close(input.split_to(found), events);
                    input.advance(after - found + skip);
                    self.state = State::Headers;
                    return true;
                }
                Mark::Close => {
                    self.close(input.split_to(found), events);
                    self.state = State::Epilogue;
                    return true;
                }
            }
        }
        let keep = beginning(self.delimiter.needle(), &input[from..]);
        self.emit(input.split_to(input.len() - keep), events);
        false
    }

    fn emit(&self, content: Bytes, events: &mut Vec<Event>) {
        if self.state == State::Body && !content.is_empty() {
            events.push(Event::Data(content));
        }
    }

    fn close(&self, content: Bytes, events: &mut Vec<Event>) {
        self.emit(content, events);
        if self.state == State::Body {
            events.push(Event::End);
        }
    }

    fn headers(&mut self, input: &mut Bytes, events: &mut Vec<Event>) -> Result<bool> {
        // A blank line at once: a part without headers.
        let end = if input.starts_with(b"\r\n") { Some(0) } else { memmem::find(input, b"\r\n\r\n").map(|at| at + 2) };
        match end {
            Some(end) if end <= PART_HEADER_BYTES_MAX => {
                let lines = String::from_utf8_lossy(&input[..end]).into_owned();
                events.push(Event::Part(self.fields(&lines)?));
                input.advance(end + 2);
                // The delimiter after an empty part may use the blank line's own CRLF.
                self.state = State::Body;
                Ok(true)
            }
            None if input.len() <= PART_HEADER_BYTES_MAX => Ok(false),
            _ => Err(self.fault("the headers of a part are longer than 16 KiB")),
        }
    }

    fn fields(&self, lines: &str) -> Result<Vec<(String, String)>> {
        let mut fields: Vec<(String, String)> = Vec::new();
        for line in lines.split("\r\n").filter(|line| !line.is_empty()) {
            if line.starts_with([' ', '\t']) {
                let (_, folded) = fields.last_mut().ok_or_else(|| self.fault("a part begins with a folded header"))?;
                folded.push(' ');
                folded.push_str(line.trim());
                continue;
            }
            let (name, value) = line.split_once(':').ok_or_else(|| self.fault("a header of a part has no colon"))?;
            fields.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
        Ok(fields)
    }
}

fn memmem_from(finder: &memmem::Finder<'_>, input: &[u8], from: usize) -> Option<usize> {
    finder.find(input.get(from..)?).map(|found| found + from)
}

/// What follows `CRLF -- boundary`.
fn mark(after: &[u8]) -> Mark {
    if after.starts_with(b"--") {
        return Mark::Close;
    }
    let padding = after.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    match after.get(padding..) {
        _ if padding > PADDING_BYTES_MAX => Mark::Content,
        Some([b'\r', b'\n', ..]) => Mark::Open(padding + 2),
        Some([] | [b'\r']) => Mark::Unknown,
        Some([b'-']) if padding == 0 => Mark::Unknown,
        _ => Mark::Content,
    }
}

/// How many bytes at the end of `input` may be the beginning of `needle`.
fn beginning(needle: &[u8], input: &[u8]) -> usize {
    let most = input.len().min(needle.len() - 1);
    (1..=most).rev().find(|&len| needle.starts_with(&input[input.len() - len..])).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Parts = Vec<(Vec<(String, String)>, Vec<u8>)>;

    /// Whole parts that come out of `body` when it is fed in pieces ending at `cuts`, and whether it was closed.
    fn parts(body: &[u8], cuts: &[usize]) -> (Parts, bool) {
        let (mut parser, mut events, mut from) = (Multipart::new("b-1").unwrap(), Vec::new(), 0);
        for &cut in cuts.iter().chain([&body.len()]) {
            parser.feed(Bytes::copy_from_slice(&body[from..cut]), &mut events).unwrap();
            from = cut;
        }
        let (mut parts, mut open): (Parts, _) = (Vec::new(), None);
        for event in events {
            match event {
                Event::Part(headers) => open = Some((headers, Vec::new())),
                Event::Data(data) => open.as_mut().unwrap().1.extend_from_slice(&data),
                Event::End => parts.push(open.take().unwrap()),
            }
        }
        (parts, parser.finish().is_ok())
    }

    fn check(body: &str, expected: &[&str], closed: bool) {
        let (found, found_closed) = parts(body.as_bytes(), &[]);
        let bodies: Vec<_> = found.iter().map(|(_, body)| String::from_utf8_lossy(body).into_owned()).collect();
        assert_eq!((bodies, found_closed), (expected.iter().map(|s| (*s).to_owned()).collect(), closed), "{body:?}");
    }

    /// Preamble, epilogue, padding, look-alikes of delimiters and empty parts are read as RFC 2046 says.
    #[test]
    fn parts_are_found_as_rfc_2046_says() {
        check("--b-1\r\n\r\none\r\n--b-1--", &["one"], true);
        check("hello\r\n--b-1  \r\nA: b\r\n\r\none\r\n--b-1\r\n\r\ntwo\r\n--b-1--\r\nbye --b-1", &["one", "two"], true);
        check("--b-1\r\n\r\na\r\n--b-12\r\n--b-\r\n--b-1x\r\n--b-1--", &["a\r\n--b-12\r\n--b-\r\n--b-1x"], true);
        check("--b-1\r\n\r\n\r\n--b-1\r\n\r\n\r\n\r\n--b-1--", &["", "\r\n"], true);
        check("--b-1\r\n\r\none\r\n--b-1\r\n\r\ntw", &["one"], false);
        check("--b-1\r\n\r\none\r\n--b-1", &[], false);
        check("no delimiter at all", &[], false);
        check("", &[], false);
    }

    /// Headers come in lower case and unfolded; endless ones are refused before they fill memory.
    #[test]
    fn headers_are_read_and_bounded() {
        let body = b"--b-1\r\nContent-Type: application/dicom;\r\n x=1\r\nContent-Location:a\r\n\r\n\r\n--b-1--";
        let (found, _) = parts(body, &[]);
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let expected = vec![pair("content-type", "application/dicom; x=1"), pair("content-location", "a")];
        assert_eq!(found[0].0, expected);
        let mut parser = Multipart::new("b-1").unwrap();
        parser.feed(Bytes::from_static(b"--b-1\r\n"), &mut Vec::new()).unwrap();
        let endless = (0..100).find_map(|_| parser.feed(Bytes::from(vec![b'a'; 1000]), &mut Vec::new()).err());
        assert!(matches!(endless, Some(Error::Multipart { .. })));
    }

    proptest! {
        /// However the bytes are cut into chunks, the same parts come out; and content that looks like
        /// delimiters, CRLFs and dashes comes through untouched.
        #[test]
        fn any_chunking_gives_the_same_parts(
            contents in prop::collection::vec(prop::collection::vec(prop::sample::select(b"\r\n-b1 x".to_vec()), 0..60), 0..5),
            cuts in prop::collection::vec(0.0..1.0f64, 0..20),
            keep in 0.0..1.3f64,
        ) {
            let contents: Vec<_> = contents.into_iter().filter(|c| memmem::find(c, b"--b-1").is_none()).collect();
            let mut body = b"x\r\n".to_vec();
            for content in &contents {
                body.extend_from_slice(b"--b-1\r\nContent-Type: application/dicom\r\n\r\n");
                body.extend_from_slice(content);
                body.extend_from_slice(b"\r\n");
            }
            body.extend_from_slice(b"--b-1--\r\nbye");
            let (whole, closed) = parts(&body, &[]);
            prop_assert_eq!(whole.iter().map(|(_, content)| content).collect::<Vec<_>>(), contents.iter().collect::<Vec<_>>());
            prop_assert!(closed);
            // The same cut anywhere: never a part that was not sent, never one in part.
            body.truncate((body.len() as f64 * keep) as usize);
            let mut cuts: Vec<_> = cuts.iter().map(|cut| (body.len() as f64 * cut) as usize).collect();
            cuts.sort_unstable();
            let (cut, _) = parts(&body, &cuts);
            prop_assert_eq!(&cut, &parts(&body, &[]).0);
            prop_assert_eq!(&cut[..], &whole[..cut.len()]);
        }

        /// Any bytes at all: an answer, never a panic.
        #[test]
        fn any_bytes_are_survived(chunks in prop::collection::vec(prop::collection::vec(prop::sample::select(b"\r\n-b1: ".to_vec()), 0..40), 0..8)) {
            let (mut parser, mut events) = (Multipart::new("b-1").unwrap(), Vec::new());
            for chunk in chunks {
                if parser.feed(chunk.into(), &mut events).is_err() {
                    return Ok(());
                }
            }
            let _ = parser.finish();
        }
    }
}
