package io.leasehold.rdma.internal.verbs;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodType;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// A function of the control path: called with boxed arguments, its `errno` at hand.
final class CFunction {
    private static final Linker LINKER = Linker.nativeLinker();
    private static final MemoryLayout STATE = Linker.Option.captureStateLayout();
    private static final long ERRNO = STATE.byteOffset(MemoryLayout.PathElement.groupElement("errno"));

    private final String name;
    private final MethodHandle handle;

    // Calling C is the purpose of this package.
    @SuppressWarnings("restricted")
    private CFunction(String name, MemorySegment address, FunctionDescriptor descriptor, List<Linker.Option> options) {
        this.name = name;
        List<Linker.Option> all = new ArrayList<>(options);
        all.add(Linker.Option.captureCallState("errno"));
        handle = LINKER.downcallHandle(address, descriptor, all.toArray(Linker.Option[]::new))
                .asSpreader(1, Object[].class, descriptor.argumentLayouts().size())
                .asType(MethodType.methodType(Object.class, MemorySegment.class, Object[].class));
    }

    /// The function, if the library has it.
    static Optional<CFunction> find(SymbolLookup library, String name, FunctionDescriptor descriptor, Linker.Option... options) {
        return library.find(name).map(address -> new CFunction(name, address, descriptor, List.of(options)));
    }

    /// A descriptor of a function of pointers and ints.
    ///
    /// @param signature the result, then the arguments: `p` pointer or long, `i` int, `b` byte, `v` void
    static FunctionDescriptor descriptor(String signature) {
        MemoryLayout[] arguments = signature.substring(1).chars().mapToObj(CFunction::layout).toArray(MemoryLayout[]::new);
        return signature.charAt(0) == 'v' ? FunctionDescriptor.ofVoid(arguments)
                : FunctionDescriptor.of(layout(signature.charAt(0)), arguments);
    }

    private static MemoryLayout layout(int letter) {
        return switch (letter) {
            case 'p' -> ValueLayout.JAVA_LONG;
            case 'i' -> ValueLayout.JAVA_INT;
            case 'b' -> ValueLayout.JAVA_BYTE;
            default -> throw new IllegalArgumentException("signature letter " + (char) letter);
        };
    }

    /// A function that answers a pointer, null for a failure that `errno` names.
    long pointer(Object... arguments) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = arena.allocate(STATE);
            long pointer = (Long) call(state, arguments);
            if (pointer == 0) {
                throw new NativeFailure(name, state.get(ValueLayout.JAVA_INT, ERRNO));
            }
            return pointer;
        }
    }

    /// A function that answers 0, or what went wrong: as a positive error number, or as -1 with `errno`.
    void status(Object... arguments) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = arena.allocate(STATE);
            int status = (Integer) call(state, arguments);
            if (status != 0) {
                throw new NativeFailure(name, status > 0 ? status : state.get(ValueLayout.JAVA_INT, ERRNO));
            }
        }
    }

    /// A function that answers a number, or what went wrong: as a negative error number, or as -1 with `errno`.
    long number(Object... arguments) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = arena.allocate(STATE);
            long number = ((Number) call(state, arguments)).longValue();
            if (number < 0) {
                throw new NativeFailure(name, number < -1 ? (int) -number : state.get(ValueLayout.JAVA_INT, ERRNO));
            }
            return number;
        }
    }

    /// A function that answers nothing, or nothing of interest.
    void run(Object... arguments) {
        try (Arena arena = Arena.ofConfined()) {
            call(arena.allocate(STATE), arguments);
        }
    }

    private Object call(MemorySegment state, Object[] arguments) {
        try {
            return handle.invokeExact(state, arguments);
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException("calling " + name, e);
        }
    }
}
