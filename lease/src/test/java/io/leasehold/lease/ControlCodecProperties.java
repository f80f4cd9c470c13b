package io.leasehold.lease;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.leasehold.lease.ControlMessage.Failed;
import io.leasehold.lease.ControlMessage.LeaseKey;
import io.leasehold.lease.ControlMessage.OpenNamed;
import io.leasehold.lease.ControlMessage.Reason;
import io.leasehold.lease.ControlMessage.Relinquish;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.RecordComponent;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.UUID;
import java.util.stream.Stream;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;

final class ControlCodecProperties {
    @Property
    void everyMessageComesBackAsItWasSent(@ForAll("messages") ControlMessage message, @ForAll long requestId) throws Exception {
        MemorySegment buffer = MemorySegment.ofArray(new byte[ControlCodec.MESSAGE_BYTES]);
        int length = ControlCodec.encode(requestId, message, buffer);
        assertThat(ControlCodec.decode(buffer.asSlice(0, length))).isEqualTo(new ControlCodec.Frame(requestId, message));
    }

    @Property
    void whatWasCutOrGrewIsRefused(@ForAll("messages") ControlMessage message, @ForAll int random) {
        MemorySegment buffer = MemorySegment.ofArray(new byte[ControlCodec.MESSAGE_BYTES]);
        int length = ControlCodec.encode(1, message, buffer);
        int other = Math.floorMod(random, ControlCodec.MESSAGE_BYTES + 1);
        if (other != length) {
            assertThat(isMessage(buffer.asSlice(0, other))).isFalse();
        }
    }

    @Property
    void damageIsRefusedOrReadAsAnotherMessage(@ForAll("messages") ControlMessage message, @ForAll int position,
            @ForAll byte value) {
        MemorySegment buffer = MemorySegment.ofArray(new byte[ControlCodec.MESSAGE_BYTES]);
        MemorySegment bytes = buffer.asSlice(0, ControlCodec.encode(1, message, buffer));
        bytes.set(java.lang.foreign.ValueLayout.JAVA_BYTE, Math.floorMod(position, bytes.byteSize()), value);
        isMessage(bytes); // throws nothing but what it catches
    }

    @Property
    void garbageIsRefused(@ForAll byte[] garbage) {
        assertThat(isMessage(MemorySegment.ofArray(garbage))).isFalse();
    }

    @Property
    void garbageAfterAGoodHeaderNeverCrashes(@ForAll byte[] garbage, @ForAll byte opcode) {
        byte[] bytes = new byte[ControlCodec.HEADER_BYTES + garbage.length];
        new MessageWriter(MemorySegment.ofArray(bytes), 0).u16('L' << 8 | 2).u8(opcode).u8(0).u32(bytes.length);
        System.arraycopy(garbage, 0, bytes, ControlCodec.HEADER_BYTES, garbage.length);
        isMessage(MemorySegment.ofArray(bytes));
    }

    @Property
    void connectionHelloComesBackAsItWasSent(@ForAll ConnectionHello.Role role, @ForAll byte index, @ForAll long high,
            @ForAll long low) throws Exception {
        ConnectionHello hello = new ConnectionHello(role, Byte.toUnsignedInt(index), new UUID(high, low));
        byte[] bytes = hello.encode();
        assertThat(bytes).hasSize(ConnectionHello.BYTES);
        assertThat(ConnectionHello.decode(bytes)).isEqualTo(hello);
    }

    @Property
    void garbageIsNoConnectionHello(@ForAll byte[] garbage) {
        assertThat(isConnectionHello(garbage)).isFalse();
        byte[] right = new ConnectionHello(ConnectionHello.Role.DATA, 3, new UUID(1, 2)).encode();
        System.arraycopy(garbage, 0, right, 8, Math.min(garbage.length, ConnectionHello.BYTES - 8));
        assertThat(isConnectionHello(right)).isTrue();
        assertThat(isConnectionHello(Arrays.copyOf(right, ConnectionHello.BYTES + 1))).isFalse();
    }

    @Example
    void everyMessageFitsAtItsLimits() {
        MemorySegment buffer = MemorySegment.ofArray(new byte[ControlCodec.MESSAGE_BYTES]);
        String name = "é".repeat(ControlCodec.NAME_BYTES_MAX / 2) + "x";
        ControlCodec.encode(1, new OpenNamed(name, 1, true), buffer);
        ControlCodec.encode(1, new Relinquish(Collections.nCopies(ControlCodec.LEASES_MAX, 1L)), buffer);
        ControlCodec.encode(1, new ControlMessage.Retire(1,
                Collections.nCopies(ControlCodec.RANGES_MAX, new ControlMessage.Range(1, 1))), buffer);
        ControlCodec.encode(1, new ControlMessage.Keys(1, 1, 1, 1,
                Collections.nCopies(ControlCodec.KEYS_MAX, new LeaseKey(1, 1))), buffer);
        assertThatIllegalArgumentException().isThrownBy(() -> ControlCodec.encode(1, new OpenNamed(name + "x", 1, true), buffer))
                .withMessageContaining("256");
        assertThatIllegalArgumentException().isThrownBy(() -> ControlCodec.encode(1, new OpenNamed("\ud800", 1, true), buffer));
        assertThatIllegalArgumentException().isThrownBy(
                () -> ControlCodec.encode(1, new Relinquish(Collections.nCopies(ControlCodec.LEASES_MAX + 1, 1L)), buffer))
                .withMessageContaining("501 leases");
    }

    @Property
    void anyDetailCanBeCutToFit(@ForAll("details") String text) throws Exception {
        MemorySegment buffer = MemorySegment.ofArray(new byte[ControlCodec.MESSAGE_BYTES]);
        Failed failed = new Failed(Reason.CONFLICT, ControlCodec.detail(text));
        int length = ControlCodec.encode(1, failed, buffer);
        assertThat(ControlCodec.decode(buffer.asSlice(0, length)).message()).isEqualTo(failed);
    }

    @Provide
    Arbitrary<String> details() {
        return texts(2000);
    }

    @Provide
    Arbitrary<ControlMessage> messages() {
        List<Arbitrary<ControlMessage>> all = Stream.of(ControlMessage.Request.class, ControlMessage.Reply.class)
                .flatMap(kind -> Arrays.stream(kind.getPermittedSubclasses()))
                .map(type -> records(type).map(ControlMessage.class::cast)).toList();
        assertThat(all).hasSize(26);
        return Arbitraries.integers().between(0, all.size() - 1).flatMap(all::get);
    }

    /// Values of any record, by its components, so that a new message is tested as soon as it exists.
    private static Arbitrary<Object> records(Class<?> type) {
        RecordComponent[] components = type.getRecordComponents();
        List<Arbitrary<Object>> values = Arrays.stream(components)
                .map(component -> values(component.getType(), component.getGenericType())).toList();
        return Combinators.combine(values).as(arguments -> {
            try {
                var constructor = type.getDeclaredConstructor(
                        Arrays.stream(components).map(RecordComponent::getType).toArray(Class<?>[]::new));
                return constructor.newInstance(arguments.toArray());
            } catch (ReflectiveOperationException e) {
                throw new AssertionError(e);
            }
        });
    }

    private static Arbitrary<Object> values(Class<?> type, java.lang.reflect.Type generic) {
        if (type == long.class || type == Long.class) {
            return Arbitraries.longs().asGeneric();
        } else if (type == int.class) {
            return Arbitraries.integers().asGeneric();
        } else if (type == boolean.class) {
            return Arbitraries.of(true, false).asGeneric();
        } else if (type == String.class) {
            return texts(ControlCodec.NAME_BYTES_MAX / 4).asGeneric();
        } else if (type == UUID.class) {
            return Combinators.combine(Arbitraries.longs(), Arbitraries.longs()).as(UUID::new).asGeneric();
        } else if (type.isEnum()) {
            return Arbitraries.of(type.getEnumConstants());
        } else if (type == List.class) {
            Class<?> element = (Class<?>) ((ParameterizedType) generic).getActualTypeArguments()[0];
            return (element == Long.class ? values(Long.class, element) : records(element)).list().ofMaxSize(20).asGeneric();
        }
        throw new AssertionError("no values of " + type);
    }

    private static Arbitrary<String> texts(int codePointsMax) {
        return Arbitraries.integers().between(1, Character.MAX_CODE_POINT)
                .filter(point -> point < Character.MIN_SURROGATE || point > Character.MAX_SURROGATE)
                .list().ofMaxSize(codePointsMax)
                .map(points -> {
                    StringBuilder text = new StringBuilder();
                    points.forEach(text::appendCodePoint);
                    return text.toString();
                });
    }

    private static boolean isMessage(MemorySegment bytes) {
        try {
            ControlCodec.decode(bytes);
            return true;
        } catch (MalformedMessageException e) {
            assertThat(e).message().isNotBlank();
            return false;
        }
    }

    private static boolean isConnectionHello(byte[] bytes) {
        try {
            ConnectionHello.decode(bytes);
            return true;
        } catch (MalformedMessageException e) {
            return false;
        }
    }
}
