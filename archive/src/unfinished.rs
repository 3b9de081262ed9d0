//! What a store may have left of a write that it answered as failed, or that a crash cut off: nothing, the whole object
//! (the reply was lost), or its first bytes under its own name (a careless store). Objects are never overwritten, so
//! whoever wants the name next has to look.
//!
//! Only what **ends too soon** is called torn. An object damaged in any other way is left where it is, for people to
//! look at.

use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::objects::Objects;
use crate::pack::{self, PackDirectory};

/// What lies under a name.
pub(crate) enum Left<T> {
    Nothing,
    Whole(T),
    Torn,
}

/// A pack.
pub(crate) async fn pack(objects: &Objects, number: u64) -> Result<Left<PackDirectory>> {
    let key = pack::key(number);
    if !objects.exists(&key).await? {
        return Ok(Left::Nothing);
    }
    if pack::is_cut_off(objects, &key).await? {
        return Ok(Left::Torn);
    }
    pack::read_directory(objects, &key).await.map(Left::Whole)
}

/// A JSON object: a record or an amendment.
pub(crate) async fn json<T: DeserializeOwned>(objects: &Objects, key: &str) -> Result<Left<T>> {
    let json = match objects.get(key).await {
        Ok(json) => json,
        Err(Error::NotFound(_)) => return Ok(Left::Nothing),
        Err(error) => return Err(error),
    };
    match serde_json::from_slice(&json) {
        Ok(whole) => Ok(Left::Whole(whole)),
        Err(error) if error.is_eof() => Ok(Left::Torn),
        Err(error) => Err(Error::damaged(key, error.to_string())),
    }
}
