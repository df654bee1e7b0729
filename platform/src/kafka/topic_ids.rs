//! Topic ids from librdkafka's `DescribeTopics`, which the safe wrapper does not offer.
//! This is the only file that calls the C library itself.
#![allow(unsafe_code)]

use super::KafkaProblem;
use super::topics::Described;
use rdkafka::admin::AdminClient;
use rdkafka::client::DefaultClientContext;
use rdkafka_sys as sys;
use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char};
use std::time::Duration;

const DOING: &str = "describing topics";

/// Frees a C object when it goes out of scope.
struct Owned<T> {
    pointer: *mut T,
    free: unsafe extern "C" fn(*mut T),
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: `pointer` came from the library function that `free` belongs to, is not
        // null (checked in `owned`) and is freed once, here.
        unsafe { (self.free)(self.pointer) }
    }
}

fn owned<T>(pointer: *mut T, free: unsafe extern "C" fn(*mut T)) -> Result<Owned<T>, KafkaProblem> {
    if pointer.is_null() {
        Err(problem("the library returned nothing".into()))
    } else {
        Ok(Owned { pointer, free })
    }
}

fn problem(why: String) -> KafkaProblem {
    KafkaProblem::Admin { doing: DOING, why }
}

/// Id and number of partitions of each of `names`; a missing topic is an error. Blocks.
pub(super) fn describe(
    admin: &AdminClient<DefaultClientContext>,
    names: &[String],
    timeout: Duration,
) -> Result<BTreeMap<String, Described>, KafkaProblem> {
    let c_names: Result<Vec<CString>, _> = names.iter().map(|name| CString::new(name.as_str())).collect();
    let c_names = c_names.map_err(|error| problem(error.to_string()))?;
    let mut pointers: Vec<*const c_char> = c_names.iter().map(|name| name.as_ptr()).collect();
    let client = admin.inner().native_ptr();
    let millis = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: `client` lives as long as `admin`; the pointers to names live until the call
    // that copies them has returned; every returned object is owned and freed once.
    let event = unsafe {
        let queue = owned(sys::rd_kafka_queue_new(client), sys::rd_kafka_queue_destroy)?;
        let options = owned(
            sys::rd_kafka_AdminOptions_new(
                client,
                sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS,
            ),
            sys::rd_kafka_AdminOptions_destroy,
        )?;
        let wanted = owned(
            sys::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len()),
            sys::rd_kafka_TopicCollection_destroy,
        )?;
        sys::rd_kafka_DescribeTopics(client, wanted.pointer, options.pointer, queue.pointer);
        owned(sys::rd_kafka_queue_poll(queue.pointer, millis), sys::rd_kafka_event_destroy)?
    };
    // SAFETY: the event is alive until the end of this function, and with it all it holds.
    unsafe {
        let error = sys::rd_kafka_event_error(event.pointer);
        if error as i32 != 0 {
            let text = sys::rd_kafka_event_error_string(event.pointer);
            return Err(problem(text_of(text)));
        }
        let result = sys::rd_kafka_event_DescribeTopics_result(event.pointer);
        if result.is_null() {
            return Err(problem("no result".into()));
        }
        let mut count = 0;
        let topics = sys::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
        (0..count).map(|i| read(*topics.add(i))).collect()
    }
}

/// # Safety
/// `topic` points into a living result.
unsafe fn read(topic: *const sys::rd_kafka_TopicDescription_t) -> Result<(String, Described), KafkaProblem> {
    // SAFETY: as promised by the caller; the library returns pointers into the same result.
    unsafe {
        let name = text_of(sys::rd_kafka_TopicDescription_name(topic));
        let error = sys::rd_kafka_TopicDescription_error(topic);
        if !error.is_null() && sys::rd_kafka_error_code(error) as i32 != 0 {
            return Err(problem(format!("{name}: {}", text_of(sys::rd_kafka_error_string(error)))));
        }
        let mut partitions = 0;
        sys::rd_kafka_TopicDescription_partitions(topic, &raw mut partitions);
        let id = text_of(sys::rd_kafka_Uuid_base64str(sys::rd_kafka_TopicDescription_topic_id(topic)));
        Ok((name, Described { id, partitions }))
    }
}

/// # Safety
/// `text` is null or a C string that lives during the call.
unsafe fn text_of(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: as promised by the caller.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}
