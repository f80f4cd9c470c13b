package io.leasehold.benchmarks;

import java.io.Serializable;

/// Something for a process of clients to do; goes there, and its result comes back.
///
/// @param <R> what it finds
interface Task<R extends Serializable> extends Serializable {
    R perform(Workbench workbench) throws Exception;
}
