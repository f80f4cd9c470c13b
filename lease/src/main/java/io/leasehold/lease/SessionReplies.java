package io.leasehold.lease;

import io.leasehold.lease.ControlMessage.Reply;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// The last requests of a session and their answers, so that a request which is sent again, because its answer was lost with the
/// queue pair, is not carried out again. For one thread.
final class SessionReplies {
    /// Most requests of one session that may wait for their answers; a client of ours never has more than
    /// [ControlCodec#REQUESTS_MAX].
    static final int UNANSWERED_MAX = ControlCodec.RECEIVES;

    private final LinkedHashMap<Long, Entry> entries = new LinkedHashMap<>();
    private int unanswered;

    private static final class Entry {
        private @Nullable Reply reply;
    }

    /// What became of a request.
    enum Seen {
        /// It is new, and unanswered from now on.
        NEW,
        /// It is being carried out.
        UNANSWERED,
        /// It has an answer; see [#reply].
        ANSWERED,
        /// It is new, but too many are unanswered.
        TOO_MANY
    }

    Seen see(long requestId) {
        Entry entry = entries.get(requestId);
        if (entry != null) {
            return entry.reply == null ? Seen.UNANSWERED : Seen.ANSWERED;
        }
        if (unanswered == UNANSWERED_MAX) {
            return Seen.TOO_MANY;
        }
        unanswered++;
        entries.put(requestId, new Entry());
        forgetOldest();
        return Seen.NEW;
    }

    /// The oldest that has an answer goes: there are more entries than can be unanswered.
    private void forgetOldest() {
        Iterator<Entry> oldest = entries.values().iterator();
        while (entries.size() > ControlCodec.REPLIES_REMEMBERED && oldest.hasNext()) {
            if (oldest.next().reply != null) {
                oldest.remove();
            }
        }
    }

    /// The answer to a request that was [Seen#ANSWERED].
    Reply reply(long requestId) {
        Entry entry = entries.get(requestId);
        if (entry == null || entry.reply == null) {
            throw new IllegalArgumentException("request " + requestId + " has no answer");
        }
        return entry.reply;
    }

    /// Keeps the answer of a request.
    ///
    /// @return whether it was unanswered until now
    boolean answer(long requestId, Reply reply) {
        Entry entry = entries.get(requestId);
        if (entry == null || entry.reply != null) {
            return false;
        }
        entry.reply = reply;
        unanswered--;
        return true;
    }

    /// The requests that have no answer, in the order they came.
    List<Long> unanswered() {
        List<Long> ids = new ArrayList<>(unanswered);
        for (Map.Entry<Long, Entry> entry : entries.entrySet()) {
            if (entry.getValue().reply == null) {
                ids.add(entry.getKey());
            }
        }
        return ids;
    }
}
