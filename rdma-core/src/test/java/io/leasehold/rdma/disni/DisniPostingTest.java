package io.leasehold.rdma.disni;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import com.ibm.disni.verbs.IbvCompChannel;
import com.ibm.disni.verbs.IbvMr;
import com.ibm.disni.verbs.IbvRecvWR;
import com.ibm.disni.verbs.IbvSendWR;
import com.ibm.disni.verbs.IbvSge;
import com.ibm.disni.verbs.IbvWC;
import com.ibm.disni.verbs.SVCPollCq;
import com.ibm.disni.verbs.SVCPostSend;
import com.sun.management.ThreadMXBean;
import io.leasehold.rdma.QueuePairOptions;
import io.leasehold.rdma.ResourceCounts;
import io.leasehold.rdma.internal.verbs.FakeVerbs;
import io.leasehold.rdma.internal.verbs.VerbsCompletionQueue;
import io.leasehold.rdma.internal.verbs.VerbsDevice;
import io.leasehold.rdma.internal.verbs.VerbsProtectionDomain;
import io.leasehold.rdma.internal.verbs.VerbsQueuePair;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.util.LinkedList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// What DiSNI's requests become in memory, and what is made of completions; offsets as in `verbs.h`, written out.
class DisniPostingTest {
    private static final int NUM_SGE = 24;
    private static final int OPCODE = 28;
    private static final int SEND_FLAGS = 32;
    private static final int IMM_DATA = 36;
    private static final int REMOTE_ADDR = 40;
    private static final int RDMA_RKEY = 48;
    private static final int COMPARE_ADD = 48;
    private static final int SWAP = 56;
    private static final int ATOMIC_RKEY = 64;
    private static final int SIGNALED = 2;
    private static final int INLINE = 8;
    private static final int EINVAL = 22;
    private static final int LOC_QP_OP_ERR = 2;
    private static final int WR_FLUSH_ERR = 5;
    private static final int ROUNDS = 20_000;
    private static final int ATTEMPTS = 5;

    private final FakeVerbs fake = new FakeVerbs();
    private final ByteBuffer buffer = ByteBuffer.allocateDirect(4096);
    private VerbsDevice device;
    private Context context;
    private Pd pd;
    private Cq cq;
    private VerbsQueuePair pair;
    private Qp qp;
    private IbvMr mr;

    @BeforeAll
    static void install() {
        Disni.install();
    }

    @BeforeEach
    void open() throws IOException {
        device = fake.open();
        context = new Context(device);
        pd = (Pd) context.allocPd();
        IbvCompChannel channel = context.createCompChannel();
        cq = (Cq) context.createCQ(channel, 64, 0);
        VerbsProtectionDomain domain = (VerbsProtectionDomain) Disni.protectionDomain(pd);
        VerbsCompletionQueue queue = (VerbsCompletionQueue) Disni.completionQueue(cq);
        pair = fake.connectedPair(domain, QueuePairOptions.of(queue, queue).withDepth(8, 4).withMaxInlineBytes(16), 4);
        qp = new Qp(pair, pd, cq, cq, false);
        mr = pd.regMr(buffer, IbvMr.IBV_ACCESS_LOCAL_WRITE).execute().free().getMr();
    }

    @AfterEach
    void close() {
        context.close();
        assertThat(device.resources()).isEqualTo(ResourceCounts.NONE);
    }

    private IbvSge range(long offset, int length) {
        IbvSge range = new IbvSge();
        range.setAddr(mr.getAddr() + offset);
        range.setLength(length);
        range.setLkey(mr.getLkey());
        return range;
    }

    private IbvSendWR request(long id, int opcode, IbvSge... ranges) {
        IbvSendWR request = new IbvSendWR();
        request.setWr_id(id);
        request.setOpcode(opcode);
        request.setSend_flags(SIGNALED);
        request.setSg_list(new LinkedList<>(List.of(ranges)));
        request.setNum_sge(ranges.length);
        return request;
    }

    private SVCPostSend call(IbvSendWR... requests) throws IOException {
        return qp.postSend(List.of(requests), null);
    }

    private IbvWC[] poll(int most) throws IOException {
        IbvWC[] list = new IbvWC[most];
        for (int i = 0; i < most; i++) {
            list[i] = new IbvWC();
        }
        SVCPollCq call = cq.poll(list, most);
        int count = call.execute().getPolls();
        call.free();
        return java.util.Arrays.copyOf(list, count);
    }

    // ---- requests

    @Test
    void everyRequestGoesOutAsItsStructureSays() throws IOException {
        IbvSendWR write = request(1, IbvSendWR.IBV_WR_RDMA_WRITE, range(0, 8), range(16, 4), range(32, 2));
        write.getRdma().setRemote_addr(0x1000);
        write.getRdma().setRkey(0xaa);
        IbvSendWR immediate = request(2, IbvSendWR.IBV_WR_RDMA_WRITE_WITH_IMM, range(0, 1));
        immediate.setImm_data(0x01020304);
        IbvSendWR swap = request(3, IbvSendWR.IBV_WR_ATOMIC_CMP_AND_SWP, range(0, 8));
        swap.getAtomic().setRemote_addr(0x3000);
        swap.getAtomic().setRkey(0x1234);
        swap.getAtomic().setCompare_add(0xC0FFEE);
        swap.getAtomic().setSwap(0x5A5A5A);
        IbvSendWR add = request(4, IbvSendWR.IBV_WR_ATOMIC_FETCH_AND_ADD, range(8, 8));
        add.getAtomic().setRemote_addr(0x4000);
        add.getAtomic().setRkey(0x5678);
        add.getAtomic().setCompare_add(-1);
        IbvSendWR invalidate = request(5, 7);
        invalidate.setImm_data(0x7701);
        call(write, immediate, swap, add, invalidate, request(6, IbvSendWR.IBV_WR_SEND)).execute().free();
        List<FakeVerbs.Posted> posted = fake.posted();
        assertThat(posted).extracting(one -> one.number(OPCODE)).containsExactly(0, 1, 5, 6, 7, 2);
        assertThat(posted).extracting(one -> one.number(NUM_SGE)).containsExactly(3, 1, 1, 1, 0, 0);
        assertThat(posted).extracting(one -> one.number(SEND_FLAGS)).containsOnly(SIGNALED);
        assertThat(posted.get(0).word(REMOTE_ADDR)).isEqualTo(0x1000);
        assertThat(posted.get(0).number(RDMA_RKEY)).isEqualTo(0xaa);
        assertThat(posted.get(1).number(IMM_DATA)).as("as it was given").isEqualTo(0x01020304);
        assertThat(posted.get(2).word(REMOTE_ADDR)).isEqualTo(0x3000);
        assertThat(posted.get(2).word(COMPARE_ADD)).isEqualTo(0xC0FFEE);
        assertThat(posted.get(2).word(SWAP)).isEqualTo(0x5A5A5A);
        assertThat(posted.get(2).number(ATOMIC_RKEY)).isEqualTo(0x1234);
        assertThat(posted.get(3).word(COMPARE_ADD)).isEqualTo(-1);
        assertThat(posted.get(3).word(SWAP)).isZero();
        assertThat(posted.get(3).number(ATOMIC_RKEY)).isEqualTo(0x5678);
        assertThat(posted.get(4).number(IMM_DATA)).isEqualTo(0x7701);
        assertThat(posted.get(5).word(REMOTE_ADDR)).as("nothing is left over").isZero();
    }

    @Test
    void onlyRequestsThatAreKnownArePosted() throws IOException {
        for (int opcode : new int[] {-1, 8, 10, 14, 200}) {
            assertThatExceptionOfType(IOException.class).as("opcode %s", opcode).isThrownBy(() -> call(request(1, opcode)))
                    .withMessageContaining("opcode " + opcode).withMessageContaining("nothing was posted");
        }
        assertThatExceptionOfType(IOException.class).isThrownBy(() -> call(request(1, 8)))
                .withMessageContaining("newSendBatch()");
        IbvSendWR flags = request(1, IbvSendWR.IBV_WR_SEND);
        flags.setSend_flags(64);
        assertThatExceptionOfType(IOException.class).isThrownBy(() -> call(flags)).withMessageContaining("send_flags 0x40");
        assertThatExceptionOfType(IOException.class)
                .isThrownBy(() -> call(request(1, IbvSendWR.IBV_WR_ATOMIC_FETCH_AND_ADD, range(0, 4))))
                .withMessageContaining("one element of 8 bytes");
        assertThatExceptionOfType(IOException.class)
                .isThrownBy(() -> call(request(1, 0, range(0, 1), range(0, 1), range(0, 1), range(0, 1), range(0, 1))))
                .withMessageContaining("5 elements, the device takes 4");
        assertThatExceptionOfType(IOException.class).isThrownBy(() -> call(request(1, 0, range(0, -1))))
                .withMessageContaining("length -1");
        assertThat(fake.posted()).isEmpty();
    }

    @Test
    void aCallIsChangedAndExecutedAgain() throws IOException {
        IbvSendWR write = request(1, IbvSendWR.IBV_WR_RDMA_WRITE, range(0, 8));
        write.getRdma().setRemote_addr(0x1000);
        write.getRdma().setRkey(1);
        IbvSendWR invalidate = request(2, 7);
        invalidate.setImm_data(0x7701);
        SVCPostSend call = call(write, invalidate);
        call.execute();
        SVCPostSend.SendWRMod change = call.getWrMod(0);
        change.setWr_id(11);
        change.getRdmaMod().setRemote_addr(0x2000);
        change.getRdmaMod().setRkey(2);
        change.getSgeMod(0).setAddr(mr.getAddr() + 64);
        change.getSgeMod(0).setLength(4);
        change.setSend_flags(0);
        call.execute();
        List<FakeVerbs.Posted> posted = fake.posted();
        assertThat(posted).hasSize(4);
        assertThat(posted.get(2).word(REMOTE_ADDR)).isEqualTo(0x2000);
        assertThat(posted.get(2).number(RDMA_RKEY)).isEqualTo(2);
        assertThat(posted.get(2).number(SEND_FLAGS)).isZero();
        assertThat(posted.get(2).payload()).hasSize(4);
        assertThat(posted.get(3).number(IMM_DATA)).as("of the second time").isEqualTo(0x7701);
        for (FakeVerbs.Posted one : posted) {
            fake.complete(pair, one, 0);
        }
        assertThat(poll(8)).extracting(IbvWC::getWr_id).containsExactly(1L, 2L, 11L, 2L);
        assertThatIllegalArgumentException().isThrownBy(() -> change.setSend_flags(128));
        call.free();
        assertThat(call.isValid()).isFalse();
        assertThatExceptionOfType(IOException.class).isThrownBy(call::execute).withMessageContaining("was freed");
    }

    @Test
    void theKeyOfAnAtomicIsChangedWhereItIs() throws IOException {
        IbvSendWR add = request(1, IbvSendWR.IBV_WR_ATOMIC_FETCH_AND_ADD, range(0, 8));
        add.getAtomic().setCompare_add(5);
        SVCPostSend call = call(add);
        call.getWrMod(0).getRdmaMod().setRkey(0x99);
        call.execute().free();
        FakeVerbs.Posted posted = fake.posted().getFirst();
        assertThat(posted.number(ATOMIC_RKEY)).isEqualTo(0x99);
        assertThat(posted.word(COMPARE_ADD)).isEqualTo(5);
    }

    @Test
    void anInlinePayloadLiesInAnOpenRegion() throws IOException {
        buffer.put(3, (byte) 42);
        IbvSendWR inline = request(1, IbvSendWR.IBV_WR_SEND, range(3, 1));
        inline.setSend_flags(SIGNALED | INLINE);
        SVCPostSend call = call(inline);
        call.execute();
        assertThat(fake.posted().getFirst().payload()).containsExactly(42);
        // The library itself would read there, and the JVM end.
        call.getWrMod(0).getSgeMod(0).setAddr(8);
        assertThatExceptionOfType(IOException.class).isThrownBy(call::execute).withMessageContaining("inline payload must lie");
        call.getWrMod(0).getSgeMod(0).setAddr(mr.getAddr() + buffer.capacity());
        assertThatExceptionOfType(IOException.class).isThrownBy(call::execute).withMessageContaining("inline payload must lie");
        call.getWrMod(0).getSgeMod(0).setAddr(mr.getAddr());
        call.getWrMod(0).getSgeMod(0).setLength(17);
        assertThatExceptionOfType(IOException.class).isThrownBy(call::execute).withMessageContaining("max_inline_data");
        call.getWrMod(0).getSgeMod(0).setLength(1);
        call.execute();
        mr.deregMr().execute().free();
        assertThatExceptionOfType(IOException.class).isThrownBy(call::execute).withMessageContaining("nothing was posted");
        assertThat(fake.posted()).hasSize(1);
    }

    @Test
    void eachRequestIsSignalledWhereTheQueuePairSaysSo() throws IOException {
        Qp signalling = new Qp(pair, pd, cq, cq, true);
        IbvSendWR silent = request(1, IbvSendWR.IBV_WR_SEND);
        silent.setSend_flags(0);
        signalling.postSend(List.of(silent), null).execute().free();
        assertThat(fake.posted().getFirst().number(SEND_FLAGS)).isEqualTo(SIGNALED);
    }

    @Test
    void aFullQueueSaysSo() throws IOException {
        SVCPostSend call = call(request(1, IbvSendWR.IBV_WR_SEND), request(2, IbvSendWR.IBV_WR_SEND), request(3, 2));
        call.execute();
        call.execute();
        assertThatExceptionOfType(IOException.class).isThrownBy(call::execute).withMessageContaining("no room for 3 requests")
                .withMessageContaining("nothing was posted");
        assertThat(fake.posted()).hasSize(6);
    }

    @Test
    void ofAListThatTheDeviceRefusesInTheMiddleEachRequestCompletes() throws IOException {
        fake.refuse(1, EINVAL);
        call(request(1, 2), request(2, 2), request(3, 2)).execute().free();
        List<FakeVerbs.Posted> taken = fake.posted();
        assertThat(taken).hasSize(1);
        fake.complete(pair, taken.getFirst(), 0);
        IbvWC[] ended = poll(8);
        assertThat(ended).extracting(IbvWC::getWr_id).containsExactly(1L, 2L, 3L);
        assertThat(ended).extracting(IbvWC::getStatus).containsExactly(0, WR_FLUSH_ERR, WR_FLUSH_ERR);
        assertThat(ended).extracting(IbvWC::getQp_num).containsOnly(pair.number());
    }

    // ---- receives

    @Test
    void receivesGoOutWithAllTheirRanges() throws IOException {
        IbvRecvWR first = new IbvRecvWR();
        first.setWr_id(70);
        first.setSg_list(new LinkedList<>(List.of(range(0, 8), range(64, 16))));
        IbvRecvWR second = new IbvRecvWR();
        second.setWr_id(71);
        qp.postRecv(List.of(first, second), null).execute().free();
        List<FakeVerbs.PostedReceive> posted = fake.postedReceives();
        assertThat(posted).hasSize(2);
        assertThat(posted.getFirst().ranges()).hasSize(2);
        MemorySegment range = MemorySegment.ofArray(posted.getFirst().ranges().get(1));
        assertThat(range.get(ValueLayout.JAVA_LONG_UNALIGNED, 0)).isEqualTo(mr.getAddr() + 64);
        assertThat(range.get(ValueLayout.JAVA_INT_UNALIGNED, 8)).isEqualTo(16);
        assertThat(range.get(ValueLayout.JAVA_INT_UNALIGNED, 12)).isEqualTo(mr.getLkey());
        fake.completeReceive(pair, posted.getFirst(), 24, 0x04030201);
        IbvWC received = poll(4)[0];
        assertThat(received.getWr_id()).isEqualTo(70);
        assertThat(received.getByte_len()).isEqualTo(24);
        assertThat(received.getImm_data()).isEqualTo(0x04030201);
        assertThat(IbvWC.IbvWcOpcode.valueOf(received.getOpcode())).isEqualTo(IbvWC.IbvWcOpcode.IBV_WC_RECV);
        assertThat(received.isSend()).isFalse();
    }

    @Test
    void ofReceivesThatTheDeviceRefusesInTheMiddleTheFirstStay() throws IOException {
        IbvRecvWR[] receives = new IbvRecvWR[3];
        for (int i = 0; i < receives.length; i++) {
            receives[i] = new IbvRecvWR();
            receives[i].setWr_id(i);
        }
        fake.refuse(2, EINVAL);
        assertThatExceptionOfType(IOException.class).isThrownBy(() -> qp.postRecv(List.of(receives), null).execute())
                .withMessageContaining("the first 2 of 3 were posted");
        List<FakeVerbs.PostedReceive> taken = fake.postedReceives();
        assertThat(taken).hasSize(2);
        fake.completeReceive(pair, taken.get(0), 1, 0);
        fake.completeReceive(pair, taken.get(1), 1, 0);
        assertThat(poll(4)).extracting(IbvWC::getWr_id).containsExactly(0L, 1L);
        qp.postRecv(List.of(receives), null).execute().free();
        assertThatExceptionOfType(IOException.class).isThrownBy(() -> qp.postRecv(List.of(receives), null).execute())
                .withMessageContaining("no room for 3").withMessageContaining("nothing was posted");
    }

    // ---- completions

    @Test
    void aFailedRequestTellsAllItsFields() throws IOException {
        IbvSendWR read = request(31, IbvSendWR.IBV_WR_RDMA_READ, range(0, 8));
        call(read, request(32, IbvSendWR.IBV_WR_SEND)).execute().free();
        List<FakeVerbs.Posted> posted = fake.posted();
        fake.complete(pair, posted.get(0), LOC_QP_OP_ERR);
        fake.complete(pair, posted.get(1), WR_FLUSH_ERR);
        IbvWC[] ended = poll(4);
        assertThat(ended).hasSize(2);
        assertThat(ended[0].getWr_id()).isEqualTo(31);
        assertThat(ended[0].getStatus()).isEqualTo(LOC_QP_OP_ERR);
        assertThat(ended[0].getVendor_err()).isEqualTo(77);
        assertThat(ended[0].getQp_num()).isEqualTo(pair.number());
        assertThat(IbvWC.IbvWcOpcode.valueOf(ended[0].getOpcode())).as("which the device does not say")
                .isEqualTo(IbvWC.IbvWcOpcode.IBV_WC_RDMA_READ);
        assertThat(ended[1].getStatus()).as("what the device said").isEqualTo(WR_FLUSH_ERR);
        assertThat(ended[1].getQp_num()).isEqualTo(pair.number());
    }

    @Test
    void onlySoManyAreTakenAsAreAskedFor() throws IOException {
        call(request(1, 2), request(2, 2), request(3, 2)).execute().free();
        for (FakeVerbs.Posted one : fake.posted()) {
            fake.complete(pair, one, 0);
        }
        assertThat(poll(2)).hasSize(2);
        assertThat(poll(2)).extracting(IbvWC::getWr_id).containsExactly(3L);
        assertThatExceptionOfType(IOException.class).isThrownBy(() -> cq.poll(new IbvWC[1], 2)).withMessageContaining("2 completions");
        assertThatExceptionOfType(IOException.class).isThrownBy(() -> cq.poll(new IbvWC[1], 1)).withMessageContaining("to be filled");
    }

    @Test
    void executingAllocatesNothing() throws IOException {
        fake.lean(true);
        SVCPostSend post = call(request(1, IbvSendWR.IBV_WR_RDMA_WRITE, range(0, 8)));
        IbvWC[] list = {new IbvWC()};
        SVCPollCq poll = cq.poll(list, 1);
        var threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        // The first attempts warm it up.
        long least = Long.MAX_VALUE;
        for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
            long before = threads.getCurrentThreadAllocatedBytes();
            for (int i = 0; i < ROUNDS; i++) {
                post.execute();
                poll.execute();
            }
            least = Math.min(least, threads.getCurrentThreadAllocatedBytes() - before);
        }
        assertThat(least).as("bytes for %s rounds", ROUNDS).isLessThan(ROUNDS);
        fake.lean(false);
    }

    // ---- regions

    @Test
    void aRegionIsTheWholeBufferAndTellsWhatIsWrong() throws IOException {
        ByteBuffer part = ByteBuffer.allocateDirect(64).position(8).limit(16);
        IbvMr whole = pd.regMr(part, IbvMr.IBV_ACCESS_LOCAL_WRITE).execute().free().getMr();
        assertThat(whole.getLength()).isEqualTo(64);
        assertThat(whole.getAddr()).isEqualTo(MemorySegment.ofBuffer(part).address() - 8);
        assertThatExceptionOfType(IOException.class).isThrownBy(() -> pd.regMr(ByteBuffer.allocate(8), 1))
                .withMessageContaining("allocateDirect");
        assertThatExceptionOfType(IOException.class).isThrownBy(() -> pd.regMr(part, IbvMr.IBV_ACCESS_ON_DEMAND).execute())
                .withMessageContaining("access 0x40");
        assertThatExceptionOfType(IOException.class).isThrownBy(() -> pd.regMr(0L, 8, 1)).withMessageContaining("at 0x0");
        whole.deregMr().execute().free();
        assertThat(whole.isOpen()).isFalse();
    }
}
