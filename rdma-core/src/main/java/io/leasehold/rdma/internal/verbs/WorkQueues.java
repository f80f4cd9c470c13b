package io.leasehold.rdma.internal.verbs;

import io.leasehold.rdma.MemoryRegion;
import io.leasehold.rdma.PostStatus;
import io.leasehold.rdma.QueuePairOptions;
import io.leasehold.rdma.QueuePairState;
import io.leasehold.rdma.WorkCompletion;
import io.leasehold.rdma.WorkCompletionOpcode;
import io.leasehold.rdma.WorkCompletionStatus;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/// The send and the receive queue of a queue pair: what is posted, what is outstanding, and what its completions mean.
///
/// Locks, in this order: the send lock (posting), the receive lock, the locks of the two completion queues (retiring). Whoever
/// changes the state holds those of the completion queues, and whoever ends a life of the queue pair holds all.
///
/// **What a flushed request has done.** `WR_FLUSH_ERR` of a device says that it did not see the request answered, not that the peer
/// did not carry it out. Here it promises the latter, as [WorkCompletionStatus] says, and so it is passed on if the peer is known to
/// have refused an earlier request, or if the queue pair was known to be in ERR when the request was posted; otherwise the request
/// completes with `RETRY_EXC_ERR`.
///
/// **What is posted in ERR** is not given to the device, whatever that would make of it: it completes as flushed when all that the
/// device has been given is retired. Lest the last of that is carried out without a word, a *nudge* is posted behind it, once.
///
/// **Answers that are missing.** On a link that loses packets Soft-RoCE now and then completes a READ or an atomic whose answer has
/// not come, see `docs/rxe-lost-answers.md`. On that device the last 8 bytes of the place for the answer hold a mark until it comes;
/// if the mark is still there, the queue pair breaks, and the request and those behind it complete with `RETRY_EXC_ERR`. READs of
/// less than 8 bytes are not watched, and chains of raw addresses neither.
final class WorkQueues {
    private static final WorkCompletionStatus[] STATUSES = WorkCompletionStatus.values();

    /// Odd, so that the marks of a queue pair are all different.
    private static final long MARK_STEP = 0x9E37_79B9_7F4A_7C15L;

    private final VerbsDevice device;
    private final VerbsProtectionDomain domain;
    private final int slot;
    private final int number;
    private final VerbsCompletionQueue sends;
    private final VerbsCompletionQueue receives;
    private final int sendPlaces;
    private final int receivePlaces;
    private final SendRing ring;
    private final ReceiveRing receiveRing;
    private final ReentrantLock sendLock = new ReentrantLock();
    private final ReentrantLock receiveLock = new ReentrantLock();
    private volatile QueuePairState state = QueuePairState.RESET;
    private volatile boolean closed;
    private volatile int generation;
    private long sendTags;
    private long receiveTags;
    /// The first request that the device was not given since the queue pair was known to be in ERR, or that it refused.
    private volatile long errorFrom = Long.MAX_VALUE;
    /// Whether the last request that the device took completes without a word; under the send lock.
    private boolean quietEnd;
    /// Whether the peer refused a request; under the lock of the completion queue.
    private boolean refusedByPeer;
    /// Whether it was logged that the library refused to post; once a life is enough.
    private volatile boolean refusalLogged;
    /// Whether the device refused the rest of the batch that is being posted; under the send lock.
    private boolean brokeOff;
    /// Whether the device may leave answers out; a random number for the marks.
    private final boolean watchesAnswers;
    private final long markBase;
    /// Whether an answer was missing in this life of the queue pair, and up to where requests fail for that; under the lock of the
    /// completion queue.
    private boolean lostAnswer;
    private long lostEnd;

    WorkQueues(VerbsDevice device, VerbsProtectionDomain domain, int slot, int number, QueuePairOptions options,
            VerbsCompletionQueue sends, VerbsCompletionQueue receives) {
        this.device = device;
        this.domain = domain;
        this.slot = slot;
        this.number = number;
        this.sends = sends;
        this.receives = receives;
        sendPlaces = options.maxSendRequests();
        receivePlaces = options.maxReceiveRequests();
        // One more, for a nudge.
        ring = new SendRing(sendPlaces + 1);
        receiveRing = new ReceiveRing(receivePlaces);
        watchesAnswers = device.isRxe();
        markBase = device.newMark();
        begin();
    }

    /// A life of the queue pair begins.
    private void begin() {
        generation = device.newGeneration();
        sendTags = RequestTag.base(false, slot, generation);
        receiveTags = RequestTag.base(true, slot, generation);
        errorFrom = Long.MAX_VALUE;
        quietEnd = false;
        refusalLogged = false;
        refusedByPeer = false;
        lostAnswer = false;
    }

    VerbsProtectionDomain domain() {
        return domain;
    }

    int number() {
        return number;
    }

    int slot() {
        return slot;
    }

    QueuePairState state() {
        return state;
    }

    boolean isClosed() {
        return closed;
    }

    int generation() {
        return generation;
    }

    VerbsCompletionQueue sends() {
        return sends;
    }

    VerbsCompletionQueue receives() {
        return receives;
    }

    // ---- states

    private void lockQueues() {
        // Always in the same order, whichever queue is the one for sends.
        VerbsCompletionQueue first = sends.slot() <= receives.slot() ? sends : receives;
        first.lock().lock();
        (first == sends ? receives : sends).lock().lock();
    }

    private void unlockQueues() {
        sends.lock().unlock();
        receives.lock().unlock();
    }

    /// Changes the state, unless it is another than `from` by now.
    void change(QueuePairState from, QueuePairState to) {
        lockQueues();
        try {
            if (state == from) {
                state = to;
            }
        } finally {
            unlockQueues();
        }
    }

    /// To ERR. Nobody posts meanwhile, so that each request was either given to a device that was not yet in ERR, and is in doubt,
    /// or is never given to it.
    ///
    /// @param toError takes the device there; if it throws, it is given nothing more all the same
    void fail(Runnable toError) {
        sendLock.lock();
        try {
            toError.run();
        } finally {
            markError();
            sendLock.unlock();
        }
    }

    /// The device is in ERR, or was not willing to go there: what is posted from now on it will not be given.
    void markError() {
        lockQueues();
        try {
            state = QueuePairState.ERR;
        } finally {
            unlockQueues();
        }
    }

    /// To RESET: what was outstanding is dropped, and its completions with it. Nobody posts meanwhile: the device would carry it out
    /// in its next life.
    ///
    /// @param toReset takes the device there; if it throws, nothing has changed
    void reset(Runnable toReset) {
        sendLock.lock();
        receiveLock.lock();
        try {
            toReset.run();
            lockQueues();
            try {
                ring.abandon();
                receiveRing.abandon();
                begin();
                state = QueuePairState.RESET;
            } finally {
                unlockQueues();
            }
        } finally {
            receiveLock.unlock();
            sendLock.unlock();
        }
    }

    /// Nothing is posted or retired from now on.
    void close() {
        sendLock.lock();
        receiveLock.lock();
        lockQueues();
        try {
            closed = true;
            ring.abandon();
            receiveRing.abandon();
            begin();
        } finally {
            unlockQueues();
            receiveLock.unlock();
            sendLock.unlock();
        }
    }

    // ---- posting

    PostStatus post(VerbsQueuePair queuePair, RequestChain batch) {
        sendLock.lock();
        try {
            if (closed) {
                return PostStatus.CLOSED;
            }
            if (batch.verdict() != PostStatus.POSTED || batch.size() == 0) {
                return batch.verdict();
            }
            QueuePairState now = state;
            if (now == QueuePairState.RESET || now == QueuePairState.INIT || now == QueuePairState.RTR) {
                return PostStatus.INVALID_STATE;
            }
            if (batch.size() > sendPlaces - ring.used()) {
                return PostStatus.QUEUE_FULL;
            }
            if (batch.hasBinds() && !prepareBinds(queuePair, batch)) {
                return PostStatus.INVALID_REQUEST;
            }
            if (now == QueuePairState.ERR) {
                releaseBinds(batch, 0, batch.size());
                flush(queuePair, batch, 0);
                return PostStatus.POSTED;
            }
            brokeOff = false;
            return batch.hasBinds() ? postWithBinds(queuePair, batch) : postRun(queuePair, batch, 0, batch.size());
        } finally {
            sendLock.unlock();
            Reference.reachabilityFence(batch.keepAlive());
        }
    }

    /// Keeps the windows and regions of all binds, or of none.
    private boolean prepareBinds(VerbsQueuePair queuePair, RequestChain batch) {
        for (int i = 0; i < batch.size(); i++) {
            VerbsMemoryWindow window = batch.window(i);
            VerbsMemoryRegion region = batch.region(i);
            if (window == null || region == null) {
                continue;
            }
            boolean held = region.hold();
            long pointer = held ? window.beginPost(queuePair) : 0;
            if (pointer == 0) {
                if (held) {
                    region.release();
                }
                releaseBinds(batch, 0, i);
                return false;
            }
            RawMemory.putLong(batch.request(i) + Abi.SendRequest.BIND_WINDOW, pointer);
            RawMemory.putLong(batch.request(i) + Abi.SendRequest.BIND_REGION, region.pointer());
        }
        return true;
    }

    private static void releaseBinds(RequestChain batch, int from, int to) {
        for (int i = from; i < to; i++) {
            VerbsMemoryWindow window = batch.window(i);
            VerbsMemoryRegion region = batch.region(i);
            if (window != null && region != null) {
                window.notPosted();
                region.release();
            }
        }
    }

    /// Posts in as few runs as the library's rules allow: a window of type 1 is bound by a call of its own, and two binds of one
    /// window cannot be in one run, since each reads its key from the structure of the window.
    private PostStatus postWithBinds(VerbsQueuePair queuePair, RequestChain batch) {
        int size = batch.size();
        int from = 0;
        long run = device.newRun();
        for (int i = 0; i < size; i++) {
            VerbsMemoryWindow window = batch.window(i);
            if (window == null || !window.isType1() && window.join(run)) {
                continue;
            }
            if (from < i) {
                PostStatus status = postRun(queuePair, batch, from, i);
                if (status != PostStatus.POSTED || brokeOff) {
                    return status;
                }
            }
            from = i;
            if (window.isType1()) {
                PostStatus status = postType1(queuePair, batch, i, window);
                if (status != PostStatus.POSTED || brokeOff) {
                    return status;
                }
                from = i + 1;
            } else {
                run = device.newRun();
                window.join(run);
            }
        }
        return from < size ? postRun(queuePair, batch, from, size) : PostStatus.POSTED;
    }

    /// Posts the requests `[from, to)` by one native call.
    private PostStatus postRun(VerbsQueuePair queuePair, RequestChain batch, int from, int to) {
        long first = remember(batch, from, to);
        for (int i = from; i < to; i++) {
            RawMemory.putLong(batch.request(i) + Abi.SendRequest.NEXT, i + 1 < to ? batch.request(i + 1) : 0);
        }
        int status = device.operations().postSend(queuePair.pointer(), batch.request(from), batch.badRequest());
        if (status == 0) {
            boundTo(batch, from, to);
            taken(batch, to);
            return PostStatus.POSTED;
        }
        long bad = RawMemory.getLong(batch.badRequest());
        int taken = bad == 0 ? from : batch.indexOf(bad);
        if (taken < from || taken >= to) {
            taken = from;
        }
        boundTo(batch, from, taken);
        return refused(queuePair, batch, taken, to, first + taken - from, status);
    }

    private PostStatus postType1(VerbsQueuePair queuePair, RequestChain batch, int i, VerbsMemoryWindow window) {
        long first = remember(batch, i, i + 1);
        long request = batch.request(i);
        long bind = batch.bind();
        RawMemory.putLong(bind + Abi.Bind.ID, RawMemory.getLong(request + Abi.SendRequest.ID));
        RawMemory.putLong(bind + Abi.Bind.FLAGS, RawMemory.getInt(request + Abi.SendRequest.FLAGS));
        RawMemory.putLong(bind + Abi.Bind.REGION, RawMemory.getLong(request + Abi.SendRequest.BIND_REGION));
        RawMemory.putLong(bind + Abi.Bind.ADDRESS, RawMemory.getLong(request + Abi.SendRequest.BIND_ADDRESS));
        RawMemory.putLong(bind + Abi.Bind.LENGTH, RawMemory.getLong(request + Abi.SendRequest.BIND_LENGTH));
        RawMemory.putLong(bind + Abi.Bind.ACCESS, RawMemory.getInt(request + Abi.SendRequest.BIND_ACCESS));
        long pointer = RawMemory.getLong(request + Abi.SendRequest.BIND_WINDOW);
        int status = device.operations().bindWindow(queuePair.pointer(), pointer, bind);
        if (status != 0) {
            return refused(queuePair, batch, i, i + 1, first, status);
        }
        window.posted(0);
        taken(batch, i + 1);
        return PostStatus.POSTED;
    }

    /// The device took the requests before `end`.
    private void taken(RequestChain batch, int end) {
        quietEnd = (RawMemory.getInt(batch.request(end - 1) + Abi.SendRequest.FLAGS) & Abi.SIGNALED) == 0;
    }

    /// Enters the requests `[from, to)` into the ring and tags them.
    ///
    /// @return the position of the first
    private long remember(RequestChain batch, int from, int to) {
        long first = ring.posted();
        for (int i = from; i < to; i++) {
            long position = first + i - from;
            long request = batch.request(i);
            int opcode = RawMemory.getInt(request + Abi.SendRequest.OPCODE);
            boolean binds = opcode == Abi.BIND_WINDOW;
            int key = RawMemory.getInt(request + (binds ? Abi.SendRequest.BIND_KEY : Abi.SendRequest.IMMEDIATE));
            if (opcode == Abi.LOCAL_INVALIDATE && isBoundElsewhere(key)) {
                // Devices differ in whether they refuse it; this key none takes.
                RawMemory.putInt(request + Abi.SendRequest.IMMEDIATE, 0);
            }
            int length = lengthOf(request);
            ring.put(position, RawMemory.getLong(request + Abi.SendRequest.ID), opcode, length, key, batch.window(i),
                    batch.region(i));
            // Only what is known to be memory of a region; a chain of raw addresses may name anything.
            if (watchesAnswers && batch instanceof VerbsSendBatch && length >= Long.BYTES && hasAnswer(opcode)) {
                long place = RawMemory.getLong(RawMemory.getLong(request + Abi.SendRequest.SCATTER_LIST) + Abi.Scatter.ADDRESS);
                ring.watch(position, place + length - Long.BYTES, markBase + position * MARK_STEP);
            }
            RawMemory.putLong(request + Abi.SendRequest.ID, RequestTag.at(sendTags, position));
        }
        ring.posted(first + to - from);
        return first;
    }

    private static int lengthOf(long request) {
        int elements = RawMemory.getInt(request + Abi.SendRequest.SCATTER_COUNT);
        long list = RawMemory.getLong(request + Abi.SendRequest.SCATTER_LIST);
        int length = 0;
        for (int i = 0; i < elements; i++) {
            length += RawMemory.getInt(list + (long) i * Abi.Scatter.BYTES + Abi.Scatter.LENGTH);
        }
        return length;
    }

    private static boolean hasAnswer(int opcode) {
        return opcode == Abi.READ || opcode == Abi.COMPARE_AND_SWAP || opcode == Abi.FETCH_AND_ADD;
    }

    private boolean isBoundElsewhere(int key) {
        VerbsMemoryWindow window = device.windows().find(key >>> 8);
        VerbsQueuePair binder = window == null ? null : window.binder();
        return binder != null && binder.queues() != this;
    }

    private static void boundTo(RequestChain batch, int from, int to) {
        if (!batch.hasBinds()) {
            return;
        }
        for (int i = from; i < to; i++) {
            VerbsMemoryWindow window = batch.window(i);
            if (window != null) {
                window.posted(RawMemory.getInt(batch.request(i) + Abi.SendRequest.BIND_KEY));
            }
        }
    }

    /// The library refused the request `at`, at `position`, and took none after it; those before `to` are in the ring. If it took
    /// none at all, nothing was posted, unless the device has failed; else this life of the queue pair ends, and those that it did
    /// not take are flushed.
    private PostStatus refused(VerbsQueuePair queuePair, RequestChain batch, int at, int to, long position, int status) {
        releaseBinds(batch, at, batch.size());
        for (int i = at; i < to; i++) {
            RawMemory.putLong(batch.request(i) + Abi.SendRequest.ID, ring.id(position + i - at));
            ring.unwatch(position + i - at);
        }
        ring.posted(position);
        if (at == 0 && !NativeFailure.isOfDevice(status)) {
            return answer("a request", status, RawMemory.getInt(batch.request(0) + Abi.SendRequest.OPCODE));
        }
        answer("a request amid others", status, RawMemory.getInt(batch.request(at) + Abi.SendRequest.OPCODE));
        brokeOff = true;
        if (at > 0) {
            taken(batch, at);
        }
        // At once: nothing may be carried out behind the hole.
        queuePair.failDevice();
        markError();
        flush(queuePair, batch, at);
        queuePair.brokeDown(generation, Bond.Cause.GONE, "the peer's queue pair refused a request of its owner");
        return PostStatus.POSTED;
    }

    /// What the number with which the library refused to post means to the user, who does not see it.
    private PostStatus answer(String what, int status, int opcode) {
        if (status == NativeFailure.ENOMEM || status == NativeFailure.EAGAIN) {
            return PostStatus.QUEUE_FULL;
        }
        if (!refusalLogged) {
            refusalLogged = true;
            device.refusedPost("queue pair " + number + ", " + what + " of opcode " + opcode + ": " + NativeFailure.name(status));
        }
        return PostStatus.INVALID_REQUEST;
    }

    /// The requests of a batch from `from` on, which the device is not given, complete as flushed behind those that it was. Under the
    /// send lock, in ERR.
    private void flush(VerbsQueuePair queuePair, RequestChain batch, int from) {
        if (errorFrom == Long.MAX_VALUE) {
            if (quietEnd && ring.used() > 0) {
                postNudge(queuePair, true);
                if (device.isRxe()) {
                    // It flushes what is there when it goes to ERR, and not surely what comes later.
                    queuePair.failDevice();
                }
            }
            errorFrom = ring.posted();
        }
        if (device.isRxe() && ring.used() > 0) {
            // It may have forgotten to flush some of what it was given.
            queuePair.failDevice();
        }
        long first = ring.posted();
        int count = batch.size() - from;
        for (int i = 0; i < count; i++) {
            long request = batch.request(from + i);
            // Without its window: that was given back.
            ring.put(first + i, RawMemory.getLong(request + Abi.SendRequest.ID), RawMemory.getInt(request + Abi.SendRequest.OPCODE),
                    0, 0, null, null);
        }
        ring.posted(first + count);
        sends.refuse(queuePair, sendTags, first, count, WorkCompletionStatus.WR_FLUSH_ERR);
    }

    /// The device will say nothing more: what it was given, and may have carried out, ends so.
    void loseOutstanding(VerbsQueuePair queuePair) {
        sendLock.lock();
        try {
            markError();
            long first = ring.retired();
            sends.refuse(queuePair, sendTags, first, (int) (Math.min(errorFrom, ring.posted()) - first),
                    WorkCompletionStatus.FATAL_ERR);
        } finally {
            sendLock.unlock();
        }
    }

    /// Rings the doorbell for what was posted while the send queue was drained: rxe does not look at it again by itself.
    void nudge(VerbsQueuePair queuePair) {
        sendLock.lock();
        try {
            if (!closed && ring.used() > 0) {
                postNudge(queuePair, false);
            }
        } finally {
            sendLock.unlock();
        }
    }

    private void postNudge(VerbsQueuePair queuePair, boolean signalled) {
        if (ring.used() > sendPlaces) {
            // The one place for nudges is taken by one.
            return;
        }
        VerbsSendBatch batch = new VerbsSendBatch(queuePair);
        batch.writeInline(0, MemorySegment.NULL, 0, 0, 0, 0);
        if (!signalled) {
            batch.unsignalled();
        }
        long position = ring.posted();
        ring.put(position, 0, SendRing.NUDGE, 0, 0, null, null);
        RawMemory.putLong(batch.request(0) + Abi.SendRequest.ID, RequestTag.at(sendTags, position));
        ring.posted(position + 1);
        if (device.operations().postSend(queuePair.pointer(), batch.request(0), batch.badRequest()) == 0) {
            taken(batch, 1);
        } else {
            ring.posted(position);
        }
        Reference.reachabilityFence(batch.keepAlive());
    }

    PostStatus postReceive(long pointer, long id, MemoryRegion region, long offset, int lengthBytes) {
        receiveLock.lock();
        try {
            if (closed) {
                return PostStatus.CLOSED;
            }
            if (!(region instanceof VerbsMemoryRegion own) || own.domain() != domain || !own.contains(offset, lengthBytes)) {
                return PostStatus.INVALID_REQUEST;
            }
            if (state == QueuePairState.RESET) {
                return PostStatus.INVALID_STATE;
            }
            if (receiveRing.used() >= receivePlaces) {
                return PostStatus.QUEUE_FULL;
            }
            int status = receiveRing.post(device.operations(), pointer, receiveTags, id, own.address() + offset, lengthBytes,
                    own.localKey());
            return status == 0 ? PostStatus.POSTED : answer("a receive", status, 0);
        } finally {
            receiveLock.unlock();
        }
    }

    /// Posts all receives of a chain, or as many of its first ones as the device takes: [ReceiveChain#taken()].
    PostStatus postReceive(long pointer, ReceiveChain chain) {
        receiveLock.lock();
        try {
            chain.taken(0);
            if (closed) {
                return PostStatus.CLOSED;
            }
            if (state == QueuePairState.RESET) {
                return PostStatus.INVALID_STATE;
            }
            if (chain.size() > receivePlaces - receiveRing.used()) {
                return PostStatus.QUEUE_FULL;
            }
            int status = receiveRing.post(device.operations(), pointer, receiveTags, chain);
            return status == 0 ? PostStatus.POSTED
                    : status == NativeFailure.ENOMEM ? PostStatus.QUEUE_FULL : PostStatus.INVALID_REQUEST;
        } finally {
            receiveLock.unlock();
            Reference.reachabilityFence(chain.keepAlive());
        }
    }

    // ---- completing; all under the lock of the completion queue

    /// Whether a tag is of a request that is outstanding.
    boolean isOf(long tag) {
        return RequestTag.isReceive(tag) ? RequestTag.sameQueue(tag, receiveTags) : RequestTag.sameQueue(tag, sendTags);
    }

    /// Whether the request with that tag, which is outstanding, is one of our own.
    boolean isNudge(long tag) {
        return !RequestTag.isReceive(tag) && ring.opcode(RequestTag.position(tag, ring.retired())) == SendRing.NUDGE;
    }

    /// How many requests before that one have not completed; negative if it has itself.
    int ahead(long tag) {
        return RequestTag.distance(tag, ring.retired());
    }

    /// Fills `into` with what a native completion means.
    ///
    /// @return whether the completion concerns the user
    boolean retire(VerbsQueuePair queuePair, long tag, long completion, WorkCompletion into) {
        if (!isOf(tag)) {
            return false;
        }
        int code = RawMemory.getInt(completion + Abi.Completion.STATUS);
        WorkCompletionStatus status =
                code >= 0 && code < STATUSES.length ? STATUSES[code] : WorkCompletionStatus.GENERAL_ERR;
        int vendorError = RawMemory.getInt(completion + Abi.Completion.VENDOR_ERROR);
        if (RequestTag.isReceive(tag)) {
            return retireReceive(queuePair, tag, completion, status, vendorError, into);
        }
        long position = RequestTag.position(tag, ring.retired());
        if (position >= ring.posted()) {
            return false;
        }
        if (watchesAnswers && (lostAnswer || status == WorkCompletionStatus.SUCCESS && isAnswerMissing(queuePair, position))) {
            failUpTo(queuePair, position);
            return false;
        }
        if (status != WorkCompletionStatus.SUCCESS) {
            // Those before it were carried out without a word.
            ring.succeed(queuePair, position, device.windows());
            return fail(queuePair, status, vendorError, into);
        }
        boolean wanted = ring.opcode(position) != SendRing.NUDGE;
        into.set(ring.id(position), status, ring.completionOpcode(position), number, ring.length(position));
        ring.succeed(queuePair, position + 1, device.windows());
        return wanted;
    }

    /// Whether one of the requests up to `last` has no answer; those before it have completed then.
    private boolean isAnswerMissing(VerbsQueuePair queuePair, long last) {
        long unanswered = ring.firstUnanswered(last);
        if (unanswered >= 0) {
            ring.succeed(queuePair, unanswered, device.windows());
        }
        return unanswered >= 0;
    }

    /// The requests up to `last` that have not completed yet fail, one after the other, as flushed: each is in doubt.
    private void failUpTo(VerbsQueuePair queuePair, long last) {
        if (!lostAnswer) {
            lostAnswer = true;
            lostEnd = ring.retired();
        }
        sends.refuse(queuePair, sendTags, lostEnd, (int) Math.max(0, last + 1 - lostEnd), WorkCompletionStatus.WR_FLUSH_ERR);
        lostEnd = Math.max(lostEnd, last + 1);
    }

    /// A request completes of which the device says nothing.
    boolean retireRefused(VerbsQueuePair queuePair, long tag, WorkCompletionStatus status, WorkCompletion into) {
        return isOf(tag) && ahead(tag) == 0 && fail(queuePair, status, 0, into);
    }

    /// The oldest request failed.
    private boolean fail(VerbsQueuePair queuePair, WorkCompletionStatus status, int vendorError, WorkCompletion into) {
        long position = ring.retired();
        WorkCompletionStatus told = status;
        if (status == WorkCompletionStatus.WR_FLUSH_ERR) {
            if (ring.isRemote(position) && !refusedByPeer && position < errorFrom) {
                told = WorkCompletionStatus.RETRY_EXC_ERR;
            }
        } else {
            refusedByPeer |= isRefusal(status);
        }
        into.set(ring.id(position), told, ring.completionOpcode(position), number, 0);
        into.setVendorError(vendorError);
        boolean wanted = ring.opcode(position) != SendRing.NUDGE;
        ring.fail();
        brokeDown(queuePair, status);
        return wanted;
    }

    /// Whether a request that ends so has stopped all behind it, at the peer or before they left.
    private static boolean isRefusal(WorkCompletionStatus status) {
        return switch (status) {
            case REM_ACCESS_ERR, REM_INV_REQ_ERR, REM_OP_ERR, RNR_RETRY_EXC_ERR, MW_BIND_ERR -> true;
            default -> false;
        };
    }

    private boolean retireReceive(VerbsQueuePair queuePair, long tag, long completion, WorkCompletionStatus status,
            int vendorError, WorkCompletion into) {
        long position = RequestTag.position(tag, receiveRing.retired());
        if (!receiveRing.isPosted(position)) {
            return false;
        }
        boolean immediate =
                RawMemory.getInt(completion + Abi.Completion.OPCODE) == Abi.Completion.RECEIVE_RDMA_WITH_IMMEDIATE;
        boolean succeeded = status == WorkCompletionStatus.SUCCESS;
        into.set(receiveRing.id(position), status,
                immediate && succeeded ? WorkCompletionOpcode.RECV_RDMA_WITH_IMM : WorkCompletionOpcode.RECV, number,
                succeeded ? RawMemory.getInt(completion + Abi.Completion.BYTE_LENGTH) : 0);
        into.setVendorError(vendorError);
        receiveRing.retire(position + 1);
        if (!succeeded) {
            brokeDown(queuePair, status);
            return true;
        }
        int flags = RawMemory.getInt(completion + Abi.Completion.FLAGS);
        int data = RawMemory.getInt(completion + Abi.Completion.IMMEDIATE);
        if ((flags & Abi.Completion.WITH_IMMEDIATE) != 0) {
            into.setImmediate(Integer.reverseBytes(data));
        } else if ((flags & device.withInvalidateFlags()) != 0) {
            into.setInvalidatedKey(data);
            VerbsMemoryWindow window = device.windows().find(data >>> 8);
            if (window != null) {
                window.invalidated(data);
            }
        }
        return true;
    }

    private void brokeDown(VerbsQueuePair queuePair, WorkCompletionStatus status) {
        if (closed) {
            return;
        }
        Bond.Cause cause = switch (status) {
            case REM_ACCESS_ERR -> Bond.Cause.ACCESS_REFUSED;
            case REM_INV_REQ_ERR, REM_OP_ERR -> Bond.Cause.REQUEST_REFUSED;
            default -> Bond.Cause.GONE;
        };
        if (state == QueuePairState.ERR && cause == Bond.Cause.GONE) {
            return;
        }
        // Only the state: the lock of the other completion queue is not needed to see it, and is not held.
        state = QueuePairState.ERR;
        queuePair.brokeDown(generation, cause, "the peer's queue pair broke with " + status);
    }
}
