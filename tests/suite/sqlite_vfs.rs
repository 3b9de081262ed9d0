//! A SQLite VFS that does what the default one does and records every write, sync, truncation and deletion of the files
//! under a registered directory, so that the index takes part in simulated power cuts.
#![allow(unsafe_code, reason = "SQLite's VFS is a C interface; this file is only ever part of the tests")]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, Once};

use rusqlite::ffi;

use crate::recorder::{Log, Op};

static REGISTER: Once = Once::new();
static RECORDED: Mutex<Vec<(PathBuf, Log)>> = Mutex::new(Vec::new());

/// From now on, what SQLite writes to files under `dir` goes into `log` too. Open databases are not affected.
pub fn record(dir: &Path, log: &Log) {
    REGISTER.call_once(register);
    RECORDED.lock().unwrap().push((dir.to_owned(), log.clone()));
}

/// What SQLite allocates for an open file: ours, and right behind it the default VFS's.
#[repr(C)]
struct File {
    base: ffi::sqlite3_file,
    recorder: *mut Recorder,
}

struct Recorder {
    path: PathBuf,
    log: Log,
}

fn register() {
    // SAFETY: the default VFS is registered by SQLite itself and lives for ever. The copy differs in its name, its file
    // size and two methods; the methods it keeps use only pAppData, which the copy holds too. It is leaked on purpose.
    unsafe {
        assert_eq!(ffi::sqlite3_initialize(), ffi::SQLITE_OK);
        let default = ffi::sqlite3_vfs_find(std::ptr::null());
        let mut vfs = *default;
        vfs.pNext = std::ptr::null_mut();
        vfs.zName = c"recording".as_ptr();
        vfs.szOsFile += size_of::<File>() as c_int;
        vfs.xOpen = Some(open);
        vfs.xDelete = Some(delete);
        DEFAULT.store(default, std::sync::atomic::Ordering::SeqCst);
        let leaked = Box::leak(Box::new(vfs));
        assert_eq!(ffi::sqlite3_vfs_register(leaked, 1), ffi::SQLITE_OK);
    }
}

static DEFAULT: std::sync::atomic::AtomicPtr<ffi::sqlite3_vfs> =
    std::sync::atomic::AtomicPtr::new(std::ptr::null_mut());

fn default_vfs() -> *mut ffi::sqlite3_vfs {
    DEFAULT.load(std::sync::atomic::Ordering::SeqCst)
}

fn recorder_of(path: &Path) -> Option<Recorder> {
    let recorded = RECORDED.lock().unwrap();
    let found = recorded.iter().find(|(dir, _)| path.starts_with(dir));
    found.map(|(_, log)| Recorder { path: path.to_owned(), log: log.clone() })
}

/// SAFETY: `name` is null or a C string that SQLite gave.
unsafe fn path_of(name: *const c_char) -> Option<PathBuf> {
    if name.is_null() {
        return None;
    }
    // SAFETY: as the caller says.
    let name = unsafe { CStr::from_ptr(name) };
    name.to_str().ok().map(PathBuf::from)
}

unsafe extern "C" fn open(
    _: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: SQLite gives szOsFile bytes at `file`, of which the default VFS gets those behind ours.
    unsafe {
        let ours = file.cast::<File>();
        (*ours).base.pMethods = std::ptr::null();
        (*ours).recorder = std::ptr::null_mut();
        let vfs = default_vfs();
        let Some(open) = (*vfs).xOpen else { return ffi::SQLITE_CANTOPEN };
        let code = open(vfs, name, inner(file), flags, out_flags);
        if code == ffi::SQLITE_OK {
            let recorder = path_of(name).and_then(|path| recorder_of(&path));
            (*ours).recorder = recorder.map_or(std::ptr::null_mut(), |recorder| Box::into_raw(Box::new(recorder)));
            (*ours).base.pMethods = &METHODS;
        }
        code
    }
}

unsafe extern "C" fn delete(_: *mut ffi::sqlite3_vfs, name: *const c_char, sync_dir: c_int) -> c_int {
    // SAFETY: the arguments are those SQLite gave, for the default VFS.
    unsafe {
        let vfs = default_vfs();
        let Some(delete) = (*vfs).xDelete else { return ffi::SQLITE_IOERR_DELETE };
        let code = delete(vfs, name, sync_dir);
        if code == ffi::SQLITE_OK
            && let Some(Recorder { path, log }) = path_of(name).and_then(|path| recorder_of(&path))
        {
            log.push(Op::Remove { path });
        }
        code
    }
}

/// The default VFS's file behind ours.
///
/// SAFETY: `file` was opened by [`open`].
unsafe fn inner(file: *mut ffi::sqlite3_file) -> *mut ffi::sqlite3_file {
    // SAFETY: szOsFile has room for both.
    unsafe { file.cast::<u8>().add(size_of::<File>()).cast() }
}

/// Records an operation of `file`, if it is recorded.
///
/// SAFETY: `file` was opened by [`open`].
unsafe fn note(file: *mut ffi::sqlite3_file, op: impl FnOnce(PathBuf) -> Op) {
    // SAFETY: `recorder` is null or a box that lives until `close`.
    if let Some(recorder) = unsafe { (*file.cast::<File>()).recorder.as_ref() } {
        recorder.log.push(op(recorder.path.clone()));
    }
}

/// A method that the default VFS carries out alone.
macro_rules! forward {
    ($name:ident, $method:ident, ($($argument:ident: $type:ty),*) -> $answer:ty) => {
        unsafe extern "C" fn $name(file: *mut ffi::sqlite3_file $(, $argument: $type)*) -> $answer {
            // SAFETY: `file` was opened by `open`; the default VFS set the methods of the inner file.
            unsafe {
                let inner = inner(file);
                match (*(*inner).pMethods).$method {
                    Some(method) => method(inner $(, $argument)*),
                    None => unreachable!("the default VFS has this method"),
                }
            }
        }
    };
}

forward!(close_inner, xClose, () -> c_int);
forward!(read, xRead, (into: *mut c_void, count: c_int, offset: i64) -> c_int);
forward!(write_inner, xWrite, (from: *const c_void, count: c_int, offset: i64) -> c_int);
forward!(truncate_inner, xTruncate, (length: i64) -> c_int);
forward!(sync_inner, xSync, (flags: c_int) -> c_int);
forward!(file_size, xFileSize, (length: *mut i64) -> c_int);
forward!(lock, xLock, (level: c_int) -> c_int);
forward!(unlock, xUnlock, (level: c_int) -> c_int);
forward!(check_reserved_lock, xCheckReservedLock, (out: *mut c_int) -> c_int);
forward!(file_control, xFileControl, (op: c_int, argument: *mut c_void) -> c_int);
forward!(sector_size, xSectorSize, () -> c_int);
forward!(device_characteristics, xDeviceCharacteristics, () -> c_int);
forward!(shm_map, xShmMap, (page: c_int, bytes: c_int, extend: c_int, out: *mut *mut c_void) -> c_int);
forward!(shm_lock, xShmLock, (offset: c_int, count: c_int, flags: c_int) -> c_int);
forward!(shm_barrier, xShmBarrier, () -> ());
forward!(shm_unmap, xShmUnmap, (delete: c_int) -> c_int);

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: SQLite closes a file once; the box is ours.
    unsafe {
        let recorder = (*file.cast::<File>()).recorder;
        if !recorder.is_null() {
            drop(Box::from_raw(recorder));
            (*file.cast::<File>()).recorder = std::ptr::null_mut();
        }
        close_inner(file)
    }
}

unsafe extern "C" fn write(file: *mut ffi::sqlite3_file, from: *const c_void, count: c_int, offset: i64) -> c_int {
    // SAFETY: SQLite gives `count` readable bytes.
    unsafe {
        let code = write_inner(file, from, count, offset);
        if code == ffi::SQLITE_OK {
            let bytes = std::slice::from_raw_parts(from.cast::<u8>(), count as usize).to_vec();
            note(file, |path| Op::Write { path, offset: offset as u64, bytes });
        }
        code
    }
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, length: i64) -> c_int {
    // SAFETY: the arguments are those SQLite gave.
    unsafe {
        let code = truncate_inner(file, length);
        if code == ffi::SQLITE_OK {
            note(file, |path| Op::Truncate { path, length: length as u64 });
        }
        code
    }
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: the arguments are those SQLite gave.
    unsafe {
        let code = sync_inner(file, flags);
        if code == ffi::SQLITE_OK {
            note(file, |path| Op::Sync { path });
        }
        code
    }
}

/// Version 2: with shared memory for the write-ahead log, without memory-mapped reads and writes.
static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};
