//! Lists, texts and nodes of PostgreSQL.

use pgrx::pg_sys;

/// # Safety
/// `list` is NIL or a list of pointers to `T`.
pub unsafe fn pointers<T>(list: *mut pg_sys::List) -> Vec<*mut T> {
    // SAFETY: as the caller promises.
    unsafe {
        if list.is_null() {
            return Vec::new();
        }
        (0..(*list).length)
            .map(|n| pg_sys::list_nth(list, n).cast::<T>())
            .collect()
    }
}

/// # Safety
/// Every pointer is a node that lives as long as the list is used.
pub unsafe fn list_of(nodes: impl IntoIterator<Item = *mut pg_sys::Node>) -> *mut pg_sys::List {
    // SAFETY: as the caller promises.
    unsafe {
        let mut list = std::ptr::null_mut();
        for node in nodes {
            list = pg_sys::lappend(list, node.cast());
        }
        list
    }
}

/// # Safety
/// `text` is NULL or a C string in the server's encoding.
pub unsafe fn string(text: *const std::ffi::c_char) -> String {
    // SAFETY: as the caller promises.
    unsafe {
        if text.is_null() {
            String::new()
        } else {
            crate::postgres::process::memory::text_of(text)
        }
    }
}

/// # Safety
/// `T` is the node struct of `tag`, zeroed being a valid state of it.
pub unsafe fn make_node<T>(tag: pg_sys::NodeTag) -> *mut T {
    // SAFETY: the memory has the size of `T`, which begins with its tag.
    unsafe {
        let node = pg_sys::palloc0(std::mem::size_of::<T>()).cast::<T>();
        *node.cast::<pg_sys::NodeTag>() = tag;
        node
    }
}
