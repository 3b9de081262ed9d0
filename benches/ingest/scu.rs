//! The C-STORE client: an association a parcel, each instance sent after the answer to the one before (PS3.7 §9.1.1).

use std::io::{BufWriter, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};

use dicom_ul::association::client::{ClientAssociation, ClientAssociationOptions};
use dicom_ul::pdu::{PDataValueType, Pdu, PresentationContextResultReason};

use crate::Result;
use crate::corpus::{Corpus, Instance, Parcel};
use crate::server::Running;

/// What both servers are called.
pub const CALLED_AE_TITLE: &str = "TSUNAGU";
/// A PDU is no longer than this, whatever the server would take.
const PDU_BYTES_MAX: usize = 256 << 10;

/// Sends the corpus with so many associations at once; answers the bytes of Data Sets acknowledged, which are all.
pub fn send(server: &Running, corpus: &Corpus, associations: usize) -> Result<u64> {
    let next = AtomicUsize::new(0);
    in_parallel(associations, || {
        let mut bytes = 0;
        while let Some(parcel) = corpus.parcels.get(next.fetch_add(1, Ordering::Relaxed)) {
            bytes += store_parcel(server, corpus, parcel)?;
        }
        Ok(bytes)
    })
}

/// Runs the same client so many times at once and adds up what they answer.
pub fn in_parallel(clients: usize, client: impl Fn() -> Result<u64> + Sync) -> Result<u64> {
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..clients).map(|_| scope.spawn(&client)).collect();
        let ended = running.into_iter().map(|thread| thread.join().map_err(|_| "a client panicked")?);
        ended.collect::<Result<Vec<u64>>>().map(|bytes| bytes.into_iter().sum())
    })
}

fn store_parcel(server: &Running, corpus: &Corpus, parcel: &Parcel) -> Result<u64> {
    let mut options = ClientAssociationOptions::new().calling_ae_title("BENCH").called_ae_title(CALLED_AE_TITLE);
    let used = |context: &&(String, String)| {
        parcel.instances.iter().any(|one| one.class == context.0 && one.transfer_syntax == context.1)
    };
    let proposed: Vec<&(String, String)> = corpus.contexts.iter().filter(used).collect();
    for (class, transfer_syntax) in &proposed {
        options = options.with_presentation_context(class.clone(), vec![transfer_syntax.clone()]);
    }
    let mut association = options.establish(server.dimse)?;
    association.inner_stream().set_nodelay(true)?;
    let mut bytes = 0;
    for (index, instance) in parcel.instances.iter().enumerate() {
        let context = proposed
            .iter()
            .position(|(class, syntax)| *class == instance.class && *syntax == instance.transfer_syntax)
            .and_then(|at| association.presentation_contexts().get(at))
            .filter(|context| context.reason == PresentationContextResultReason::Acceptance)
            .ok_or_else(|| format!("{} in {} was not accepted", instance.class, instance.transfer_syntax))?;
        let id = context.id;
        store(&mut association, id, index as u16 + 1, instance)?;
        bytes += instance.data_set.len() as u64;
    }
    association.release()?;
    Ok(bytes)
}

fn store(
    association: &mut ClientAssociation<TcpStream>,
    context: u8,
    message_id: u16,
    instance: &Instance,
) -> Result<()> {
    let announced = association.acceptor_max_pdu_length() as usize;
    let pdu_bytes_max = if announced == 0 { PDU_BYTES_MAX } else { announced.min(PDU_BYTES_MAX) };
    let mut out = BufWriter::with_capacity(PDU_BYTES_MAX + 16, &*association.inner_stream());
    fragment(&mut out, context, 0x03, &command(message_id, instance))?;
    // A PDU's length counts the four bytes of the value's length and its two of header (PS3.8 §9.3.5).
    let mut fragments = instance.data_set.chunks(pdu_bytes_max - 6).peekable();
    while let Some(data) = fragments.next() {
        fragment(&mut out, context, if fragments.peek().is_none() { 0x02 } else { 0x00 }, data)?;
    }
    out.flush()?;
    drop(out);
    match status(association.receive()?)? {
        0 => Ok(()),
        status => Err(format!("{} was answered {status:04X}", instance.uid).into()),
    }
}

/// One P-DATA-TF PDU of one value (PS3.8 §9.3.5).
fn fragment(out: &mut impl Write, context: u8, control: u8, data: &[u8]) -> Result<()> {
    let value_bytes = u32::try_from(data.len() + 2)?;
    out.write_all(&[4, 0])?;
    out.write_all(&(value_bytes + 4).to_be_bytes())?;
    out.write_all(&value_bytes.to_be_bytes())?;
    out.write_all(&[context, control])?;
    Ok(out.write_all(data)?)
}

/// The command set of a C-STORE-RQ (PS3.7 §9.3.1.1), Implicit VR Little Endian.
fn command(message_id: u16, instance: &Instance) -> Vec<u8> {
    let mut set = Vec::with_capacity(256);
    element(&mut set, 0x0002, &uid(&instance.class));
    element(&mut set, 0x0100, &1_u16.to_le_bytes());
    element(&mut set, 0x0110, &message_id.to_le_bytes());
    element(&mut set, 0x0700, &0_u16.to_le_bytes());
    element(&mut set, 0x0800, &1_u16.to_le_bytes());
    element(&mut set, 0x1000, &uid(&instance.uid));
    let mut command = Vec::with_capacity(set.len() + 12);
    element(&mut command, 0x0000, &(set.len() as u32).to_le_bytes());
    command.extend_from_slice(&set);
    command
}

fn element(set: &mut Vec<u8>, number: u16, value: &[u8]) {
    set.extend_from_slice(&[0, 0]);
    set.extend_from_slice(&number.to_le_bytes());
    set.extend_from_slice(&(value.len() as u32).to_le_bytes());
    set.extend_from_slice(value);
}

fn uid(text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    bytes.resize(bytes.len().next_multiple_of(2), 0);
    bytes
}

/// Status (0000,0900) of a C-STORE-RSP.
fn status(pdu: Pdu) -> Result<u16> {
    let Pdu::PData { data } = pdu else { return Err(format!("no answer but {pdu:?}").into()) };
    let command = data.iter().find(|value| value.value_type == PDataValueType::Command).ok_or("no command set")?;
    let mut rest = command.data.as_slice();
    while let Some((head, after)) = rest.split_first_chunk::<8>() {
        let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        let value = after.get(..length).ok_or("an answer cut short")?;
        if let ([0, 0, 0, 9, ..], [low, high]) = (head, value) {
            return Ok(u16::from_le_bytes([*low, *high]));
        }
        rest = &after[length..];
    }
    Err("an answer without a status".into())
}
