package io.leasehold.structures;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.List;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.LongRange;
import net.jqwik.api.constraints.Size;

/// The drawings of the queue's words and blocks.
final class QueueLayoutProperties {
    @Property
    void slotKeepsWhatWasPutIntoIt(@ForAll @LongRange(min = 1, max = 0xFFFF_FFFFL) long block,
            @ForAll @IntRange(min = 1, max = 0x7FFF) int units, @ForAll boolean isAfter) {
        long full = QueueSlot.full(block, units * 64) | (isAfter ? QueueSlot.AFTER : 0);
        assertThat(QueueSlot.state(full)).isEqualTo(QueueSlot.FULL);
        assertThat(QueueSlot.version(full)).isZero();
        long word = full;
        for (int i = 1; i <= 3; i++) {
            word = QueueSlot.changed(word, i % 2 == 1 ? QueueSlot.CLAIMED : QueueSlot.RELEASED);
            assertThat(QueueSlot.state(word)).isEqualTo(i % 2 == 1 ? QueueSlot.CLAIMED : QueueSlot.RELEASED);
            assertThat(QueueSlot.version(word)).isEqualTo(i);
            assertThat(QueueSlot.block(word)).isEqualTo(block);
            assertThat(QueueSlot.lengthBytes(word)).isEqualTo(units * 64);
            assertThat(QueueSlot.isAfter(word)).isEqualTo(isAfter);
            assertThat(QueueSlot.hasBlock(word)).isTrue();
            assertThat(QueueSlot.isFinal(word)).isFalse();
        }
    }

    @Property
    void takenKeepsItsTaker(@ForAll long taker) {
        long word = QueueSlot.taken(taker);
        assertThat(QueueSlot.state(word)).isEqualTo(QueueSlot.TAKEN);
        assertThat(word & QueueSlot.TAKER_MASK).isEqualTo(taker & QueueSlot.TAKER_MASK);
        assertThat(QueueSlot.isFinal(word)).isTrue();
        assertThat(QueueSlot.hasBlock(word)).isFalse();
    }

    @Example
    void slotIsAsDrawn() {
        assertThat(QueueSlot.full(0xFFFF_FFFFL, 0x7FFF * 64) | QueueSlot.AFTER)
                .isEqualTo(0b001_1_111111111111111_0000000000000L << 32 | 0xFFFF_FFFFL);
        assertThat(64 - QueueSlot.STATE_SHIFT + 1 + QueueSlot.LENGTH_BITS + QueueSlot.VERSION_BITS + 32).isEqualTo(64);
        assertThat(QueueSlot.STATE_SHIFT - 1).isEqualTo(QueueSlot.LENGTH_SHIFT + QueueSlot.LENGTH_BITS);
        assertThat(QueueSlot.LENGTH_SHIFT).isEqualTo(QueueSlot.VERSION_SHIFT + QueueSlot.VERSION_BITS);
        assertThat(QueueSlot.POISON).isEqualTo(0b101L << 61);
        assertThat(QueueSlot.state(0)).isEqualTo(QueueSlot.EMPTY);
        long last = QueueSlot.changed(QueueSlot.full(1, 64) | 0x1FFFL << 32, QueueSlot.CLAIMED);
        assertThat(QueueSlot.version(last)).as("wraps").isZero();
        assertThat(QueueSlot.lengthBytes(last)).isEqualTo(64);
        assertThatThrownBy(() -> QueueSlot.full(1, 0x8000 * 64)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> QueueSlot.full(1L << 32, 64)).isInstanceOf(IllegalArgumentException.class);
        assertThat(ElementBlocks.PAYLOAD_AT + ElementBlocks.ENCODED_BYTES_MAX).isLessThan(0x7FFF * 64);
    }

    @Example
    void aSlotBehindADeadOneIsVoid() {
        long full = QueueSlot.full(1, 64);
        long after = full | QueueSlot.AFTER;
        long taken = QueueSlot.taken(1);
        long[] words = {full, after, after, QueueSlot.POISON, after, after, full, after, taken, after, 0, after, after};
        QueueSlot.Judgement put = QueueSlot.Judgement.PUT;
        QueueSlot.Judgement isVoid = QueueSlot.Judgement.VOID;
        QueueSlot.Judgement undecided = QueueSlot.Judgement.UNDECIDED;
        List<QueueSlot.Judgement> expected =
                List.of(put, put, put, put, isVoid, isVoid, put, put, put, put, put, undecided, undecided);
        for (int i = 0; i < words.length; i++) {
            if (QueueSlot.state(words[i]) == QueueSlot.FULL) {
                assertThat(QueueSlot.judge(words, i)).as("slot %d", i).isEqualTo(expected.get(i));
            }
        }
        long claimed = QueueSlot.changed(after, QueueSlot.CLAIMED);
        assertThat(QueueSlot.judge(new long[] {QueueSlot.POISON, claimed, after}, 2)).as("claims are of elements").isEqualTo(put);
    }

    @Property
    void segmentPointers(@ForAll @IntRange(min = 0, max = 1023) int node,
            @ForAll @LongRange(min = 1, max = 0xFFFF_FFFFL) long block, @ForAll long serial,
            @ForAll @IntRange(min = -1_000_000, max = 1_000_000) int distance) {
        SegmentLayout layout = SegmentLayout.at((long) node << 38 | 4096, 1024);
        long pointer = layout.pointer(serial, (long) node << 38 | block << 6);
        assertThat(layout.address(pointer)).isEqualTo((long) node << 38 | block << 6);
        assertThat(SegmentLayout.serial(pointer)).isEqualTo(serial & 0xFFFF_FFFFL);
        assertThat(SegmentLayout.distance(pointer, layout.pointer(serial + distance, 64))).isEqualTo(distance);
    }

    @Example
    void segmentIsAsDrawn() {
        SegmentLayout layout = SegmentLayout.at(1L << 38, 4);
        assertThat(layout.bytes()).isEqualTo(192 + 4 * 8 + 32);
        assertThat(SegmentLayout.at(0, 1024).bytes()).isEqualTo(192 + 8192);
        long pointer = layout.pointer(7, 1L << 38 | 64);
        assertThat(pointer).isEqualTo(7L << 32 | 1);
        long address = layout.address(pointer);
        assertThat(layout.enq(pointer) - address).isZero();
        assertThat(layout.deq(pointer) - address).isEqualTo(64);
        long deq = SegmentLayout.deqWord(-5, 9);
        assertThat(deq).isEqualTo(0xFFFF_FFFB_0000_0009L);
        assertThat(SegmentLayout.tag(deq)).isEqualTo(-5);
        assertThat(SegmentLayout.tickets(deq + 3)).isEqualTo(12);
        assertThat(layout.next(pointer) - address).isEqualTo(128);
        assertThat(layout.slot(pointer, 0) - address).isEqualTo(192);
        assertThat(layout.slot(pointer, 3) - address).isEqualTo(216);
        assertThatThrownBy(() -> layout.slot(pointer, 4)).isInstanceOf(IndexOutOfBoundsException.class);
        MemorySegment image = layout.image(7, 11, 12);
        assertThat(image.byteSize()).isEqualTo(layout.bytes());
        assertThat(SegmentLayout.word(image, 0)).as("enq").isEqualTo(2);
        assertThat(SegmentLayout.word(image, 8)).as("deq").isZero();
        assertThat(SegmentLayout.word(image, 16)).as("next").isZero();
        assertThat(SegmentLayout.word(image, 17)).as("serial").isEqualTo(7);
        assertThat(SegmentLayout.word(image, 24)).isEqualTo(11);
        assertThat(SegmentLayout.word(image, 25)).isEqualTo(12);
        assertThat(SegmentLayout.word(image, 26)).isZero();
    }

    @Example
    void ticketsBetween() {
        SegmentLayout layout = SegmentLayout.at(0, 4);
        long last = layout.pointer(0xFFFF_FFFFL, 64);
        long first = layout.pointer(0, 128);
        assertThat(layout.between(last, 3, first, 2)).as("serials wrap").isEqualTo(3);
        assertThat(layout.between(first, 2, last, 3)).isEqualTo(-3);
        assertThat(layout.between(first, 9, first, 4)).as("tickets past the end are none").isZero();
    }

    @Property
    void rootKeepsTheShape(@ForAll @IntRange(min = 1) int capacity, @ForAll @IntRange(min = 2, max = 65536) int slots,
            @ForAll boolean isAcknowledged, @ForAll @LongRange(min = 1_000_000, max = 86_400_000_000_000L) long visibility) {
        DeliveryMode delivery = isAcknowledged ? DeliveryMode.ACKNOWLEDGED : DeliveryMode.AT_MOST_ONCE;
        QueueShape shape = new QueueShape(capacity, slots, delivery, visibility, "ü".repeat(30));
        MemorySegment root = MemorySegment.ofArray(new byte[QueueShape.ROOT_BYTES]);
        shape.encode(root, 0x1234);
        assertThat(SegmentLayout.word(root, 0)).as("written last").isZero();
        root.set(ValueLayout.JAVA_LONG_UNALIGNED, 0, QueueShape.FORMAT);
        assertThat(QueueShape.decode("q", root)).isEqualTo(shape);
        for (int line : new int[] {64, 128, 192}) {
            assertThat(SegmentLayout.word(root, line / 8)).isEqualTo(0x1234);
        }
        assertThat(SegmentLayout.word(root, 256 / 8)).isZero();
        assertThat(root.get(ValueLayout.JAVA_INT_UNALIGNED, 8)).isEqualTo(capacity);
        assertThat(root.get(ValueLayout.JAVA_INT_UNALIGNED, 12)).isEqualTo(slots);
    }

    @Property
    void blocksKeepElements(@ForAll @Size(max = 300) byte[] element) {
        ElementBlocks<byte[]> blocks = new ElementBlocks<>(Codec.BYTES, 0xC0DEC);
        MemorySegment block = blocks.encode(element);
        assertThat(block.byteSize() % 64).isZero();
        assertThat(block.byteSize()).isBetween(16L + element.length, 16L + element.length + 63);
        assertThat(block.get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 1);
        assertThat(block.get(ValueLayout.JAVA_INT_UNALIGNED, 4)).isEqualTo(0xC0DEC);
        assertThat(block.get(ValueLayout.JAVA_INT_UNALIGNED, 8)).isEqualTo(element.length);
        assertThat(blocks.decode(block)).isEqualTo(element);
    }

    @Property
    void damageIsSeen(@ForAll @Size(min = 1, max = 100) byte[] element, @ForAll int where,
            @ForAll @IntRange(min = 0, max = 7) int bit) {
        ElementBlocks<byte[]> blocks = new ElementBlocks<>(Codec.BYTES, 0xC0DEC);
        MemorySegment block = blocks.encode(element);
        // Bytes 1 to 3 of the header are not used, nor what follows the encoding.
        int at = 4 + Math.floorMod(where, ElementBlocks.PAYLOAD_AT - 4 + element.length);
        block.set(ValueLayout.JAVA_BYTE, at, (byte) (block.get(ValueLayout.JAVA_BYTE, at) ^ 1 << bit));
        assertThatThrownBy(() -> blocks.decode(block)).isInstanceOf(IllegalStateException.class).hasMessageContaining("damaged");
    }

    @Example
    void optionsAreChecked() {
        QueueOptions options = QueueOptions.unbounded();
        assertThatThrownBy(() -> options.withCapacity(0)).hasMessageContaining("capacity 0");
        assertThatThrownBy(() -> options.withSlotsPerSegment(1)).hasMessageContaining("slotsPerSegment 1");
        assertThatThrownBy(() -> options.withSlotsPerSegment(65537)).hasMessageContaining("slotsPerSegment 65537");
        assertThatThrownBy(() -> options.withTimeout(Duration.ZERO)).hasMessageContaining("timeout");
        assertThatThrownBy(() -> options.acknowledged(Duration.ofDays(2))).hasMessageContaining("visibility");
        assertThat(options.withProtection(Protection.BLOCK).protection()).isEqualTo(Protection.BLOCK);
    }
}
