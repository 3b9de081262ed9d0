//! stub
#![allow(missing_docs)]
use crate::error::Result;
use crate::objects::Objects;
use crate::*;
use bytes::Bytes;
use std::ops::Range;
pub const PREFIX: &str = "packs";
#[derive(Clone, Debug)]
pub struct InstanceRecord { pub sequence: u64, pub description: Description, pub origin: Origin, pub digests: Digests, pub received_bytes: u64, pub variant: bool }
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeldForm { Intake, Packed, Received, ReceivedZstd }
#[derive(Debug)]
pub struct PackInstance { pub entry: u32, pub record: InstanceRecord, pub form: HeldForm, pub transfer_syntax_uid: String, pub part10_bytes: u64, pub held_bytes: u64 }
#[derive(Debug)]
pub struct PackDirectory { pub number: u64, pub key: String, pub study_instance_uid: String, pub instances: Vec<PackInstance> }
impl PackDirectory {
    pub fn instance(&self, _: u32) -> Result<&PackInstance> { todo!() }
    pub async fn read_part10(&self, _: &Objects, _: u32, _: Range<u64>) -> Result<Bytes> { todo!() }
    pub async fn read_recipe(&self, _: &Objects, _: u32) -> Result<Option<Bytes>> { todo!() }
    pub async fn read_frames(&self, _: &Objects, _: u32) -> Result<FrameTable> { todo!() }
    pub fn document_of(&self, _: u32) -> Result<(u32, usize)> { todo!() }
    pub async fn read_documents(&self, _: &Objects, _: u32) -> Result<Vec<Bytes>> { todo!() }
}
pub fn key(_: u64) -> String { todo!() }
pub async fn read_directory(_: &Objects, _: &str) -> Result<PackDirectory> { todo!() }
