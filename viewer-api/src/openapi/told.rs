//! What is said of one operation, in few words, and what OpenAPI makes of it.

use serde_json::{Map, Value, json};

/// Names of schemas among the components.
pub(super) const DICOM_JSON: &str = "DicomJson";
/// See [`DICOM_JSON`].
pub(super) const INFO: &str = "ImageInformation";

/// One operation.
pub(super) struct Told {
    /// The verb it is asked with, lower case.
    pub(super) verb: &'static str,
    name: &'static str,
    tag: &'static str,
    summary: &'static str,
    parameters: Vec<Value>,
    /// Media types of what is sent, and their schema.
    body: Vec<Typed>,
    answers: Vec<Answer>,
}

struct Answer {
    status: u16,
    said: &'static str,
    /// Media types and their schema.
    content: Vec<Typed>,
}

/// A media type, and the schema of what is JSON: of what is none, OpenAPI 3.1 says nothing.
type Typed = (&'static str, Option<Value>);

impl Told {
    /// An operation; `name` is unique in the document.
    pub(super) fn new(verb: &'static str, name: &'static str, tag: &'static str, summary: &'static str) -> Told {
        Told { verb, name, tag, summary, parameters: Vec::new(), body: Vec::new(), answers: Vec::new() }
    }

    /// A GET.
    pub(super) fn get(name: &'static str, tag: &'static str, summary: &'static str) -> Told {
        Told::new("get", name, tag, summary)
    }

    /// A parameter of the query, not required.
    pub(super) fn query(mut self, name: &str, said: &str, schema: Value) -> Told {
        self.parameters.push(parameter("query", name, said, schema));
        self
    }

    /// A parameter of the query that has to be there.
    pub(super) fn required(mut self, name: &str, said: &str, schema: Value) -> Told {
        let mut parameter = parameter("query", name, said, schema);
        parameter["required"] = true.into();
        self.parameters.push(parameter);
        self
    }

    /// A header, not required.
    pub(super) fn header(mut self, name: &str, said: &str, schema: Value) -> Told {
        self.parameters.push(parameter("header", name, said, schema));
        self
    }

    /// What is sent.
    pub(super) fn body(mut self, media_type: &'static str, schema: Value) -> Told {
        self.body.push((media_type, Some(schema)));
        self
    }

    /// What is sent, and is no JSON.
    pub(super) fn bytes(mut self, media_type: &'static str) -> Told {
        self.body.push((media_type, None));
        self
    }

    /// An answer of these media types.
    pub(super) fn answers(self, status: u16, said: &'static str, media_types: &[&'static str]) -> Told {
        let content = media_types.iter().map(|media_type| (*media_type, schema_of(media_type))).collect();
        self.add(status, said, content)
    }

    /// An answer of one of the components.
    pub(super) fn answers_with(self, status: u16, said: &'static str, media_type: &'static str, name: &str) -> Told {
        self.add(status, said, vec![(media_type, Some(component(name)))])
    }

    /// The refusals that this operation has, in sentences of a component.
    pub(super) fn refuses(self, name: &str, statuses: &[u16]) -> Told {
        let refusal = |told: Told, status: &u16| {
            told.add(*status, meaning(*status), vec![("application/json", Some(component(name)))])
        };
        statuses.iter().fold(self, refusal)
    }

    /// What is tagged can be asked for again for nothing (RFC 9110 §13.1.2).
    pub(super) fn tagged(self) -> Told {
        let said = "Tags of what is there already; what has not changed is answered 304.";
        self.header("If-None-Match", said, text(128)).answers(304, "What you have is what would be sent.", &[])
    }

    /// Media types of one status are one answer.
    fn add(mut self, status: u16, said: &'static str, content: Vec<Typed>) -> Told {
        match self.answers.iter_mut().find(|answer| answer.status == status) {
            Some(answer) => answer.content.extend(content),
            None => self.answers.push(Answer { status, said, content }),
        }
        self
    }

    /// The Operation Object at `path`, whose parameters the path names.
    pub(super) fn operation(self, path: &str, secured: bool) -> Value {
        let parameters: Vec<Value> = path_parameters(path).chain(self.parameters).collect();
        let answer = |answer: Answer| {
            let mut said = json!({ "description": answer.said });
            if !answer.content.is_empty() {
                said["content"] = content(answer.content);
            }
            (answer.status.to_string(), said)
        };
        let security = if secured { json!([{ "bearer": [] }, { "cookie": [] }]) } else { json!([]) };
        let mut operation = json!({
            "operationId": if path.ends_with("/dicom-web/") { format!("{}WithSlash", self.name) } else { self.name.to_owned() },
            "tags": [self.tag],
            "summary": self.summary,
            "parameters": parameters,
            "responses": self.answers.into_iter().map(answer).collect::<Map<String, Value>>(),
            "security": security,
        });
        if !self.body.is_empty() {
            operation["requestBody"] = json!({ "required": true, "content": content(self.body) });
        }
        operation
    }
}

/// A map of Media Type Objects.
fn content(typed: Vec<Typed>) -> Value {
    let one = |(media_type, schema): Typed| {
        let object = schema.map_or_else(|| json!({}), |schema| json!({ "schema": schema }));
        (media_type.to_owned(), object)
    };
    Value::Object(typed.into_iter().map(one).collect())
}

/// A Parameter Object.
fn parameter(place: &str, name: &str, said: &str, schema: Value) -> Value {
    json!({ "name": name, "in": place, "required": place == "path", "description": said, "schema": schema })
}

/// The parameters in a path of the table.
fn path_parameters(path: &str) -> impl Iterator<Item = Value> {
    let names = path.split('{').skip(1).filter_map(|rest| rest.split('}').next());
    names.map(|name| {
        let name = name.trim_start_matches('*');
        let (said, schema) = path_parameter(name);
        parameter("path", name, said, schema)
    })
}

/// What a name in a path stands for.
fn path_parameter(name: &str) -> (&'static str, Value) {
    match name {
        "study" => ("Study Instance UID.", uid()),
        "series" => ("Series Instance UID.", uid()),
        "instance" => ("SOP Instance UID.", uid()),
        "frames" => {
            ("Frame numbers from 1, separated by commas.", pattern("^[1-9][0-9]{0,4}(,[1-9][0-9]{0,4}){0,15}$"))
        }
        "id" => {
            ("Of an image: STUDY:SERIES:INSTANCE, STUDY:SERIES:INSTANCE:FRAME, or STUDY:SERIES of a slide.", text(256))
        }
        "region" => ("full, square, x,y,w,h or pct:x,y,w,h.", pattern(REGION)),
        "size" => ("max, w, or ,h or w,h or !w,h or pct:n, with ^ before it to enlarge.", pattern(SIZE)),
        "rotation" => ("Degrees clockwise, with ! before them to mirror first.", pattern("^!?(0|90|180|270)$")),
        "worklist" => ("A worklist, as the list of them names it.", pattern("^[0-9a-f]{32}$")),
        "item" => ("An item, as a claim names it.", pattern("^[0-9a-f]{32}$")),
        "verdict" => ("The id that the page gave a verdict.", pattern(UUID)),
        "last" => ("Quality and format.", pattern("^(default|color|gray|bitonal)\\.(jpg|png)$")),
        _ => ("The rest of the path.", text(1024)),
    }
}

const REGION: &str = "^(full|square|[0-9]{1,5},[0-9]{1,5},[1-9][0-9]{0,4},[1-9][0-9]{0,4}|pct:[0-9]{1,2},[0-9]{1,2},[1-9][0-9]?,[1-9][0-9]?)$";
/// As RFC 9562 writes it.
pub(super) const UUID: &str = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$";
const SIZE: &str = "^\\^?(max|[1-9][0-9]{0,4},|,[1-9][0-9]{0,4}|!?[1-9][0-9]{0,4},[1-9][0-9]{0,4}|pct:[1-9][0-9]?)$";

/// A reference to a schema among the components.
pub(super) fn component(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// A text of at most so many characters, and at least one.
pub(super) fn text(length_max: usize) -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": length_max })
}

/// A text of a pattern.
pub(super) fn pattern(pattern: &str) -> Value {
    json!({ "type": "string", "pattern": pattern })
}

/// One of these words.
pub(super) fn word(words: &[&str]) -> Value {
    json!({ "type": "string", "enum": words })
}

/// A whole number.
pub(super) fn number(least: i32, most: i32) -> Value {
    json!({ "type": "integer", "minimum": least, "maximum": most })
}

/// A UID (PS3.5 §9.1).
pub(super) fn uid() -> Value {
    json!({ "type": "string", "maxLength": 64, "pattern": "^(0|[1-9][0-9]*)(\\.(0|[1-9][0-9]*))*$" })
}

/// A date, or a range of dates (PS3.4 C.2.2.2.5).
pub(super) fn dates() -> Value {
    let date = "(19|20)[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|1[0-9]|2[0-8])";
    pattern(&format!("^({date}|{date}-({date})?|-{date})$"))
}

/// An object of properties, of which these are required.
pub(super) fn object(properties: Value, required: &[&str]) -> Value {
    json!({ "type": "object", "properties": properties, "required": required })
}

fn schema_of(media_type: &str) -> Option<Value> {
    match media_type {
        "application/dicom+json" => Some(component(DICOM_JSON)),
        "application/json" | "application/vnd.tsunagu.parts+json" => Some(json!({})),
        _ => None,
    }
}

fn meaning(status: u16) -> &'static str {
    match status {
        400 => "The request says something that cannot be understood; the sentence says what.",
        401 => "No credential, or one that is not known.",
        403 => "The credential is good, but not for this; or a page of another site asked.",
        404 => "Nothing of that name is held.",
        406 => "None of the forms asked for is to be had; the sentence lists what is.",
        408 => "The sender was silent for too long.",
        409 => "It does not go with what has become of the thing meanwhile; or nothing of it was stored.",
        413 => "More than is taken at once.",
        415 => "A body of this type is not read.",
        416 => "The range is outside.",
        500 => "The archive could not read what it holds, or a decoder failed.",
        501 => "The standard has it and this server has not.",
        503 => "The access could not be recorded, or the server is stopping; try again.",
        507 => "The disk is full.",
        _ => "Refused.",
    }
}
