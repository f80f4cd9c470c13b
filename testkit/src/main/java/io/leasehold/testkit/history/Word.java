package io.leasehold.testkit.history;

import org.jspecify.annotations.Nullable;

/// What atomics say of one word.
record Word() implements Specification<Long> {
    @Override
    public Long initial() {
        return 0L;
    }

    @Override
    public @Nullable Long step(Long state, Operation operation) {
        long now = state;
        long next = switch (operation.kind()) {
            case GET -> now;
            case PUT -> operation.argument();
            case COMPARE_AND_SWAP -> now == operation.argument() ? operation.second() : now;
            case FETCH_AND_ADD -> now + operation.argument();
            default -> throw new IllegalArgumentException("not an operation of a word: " + operation);
        };
        boolean answers = operation.isPending() || operation.kind() == Operation.Kind.PUT || operation.result() == now;
        return answers ? (Long) next : null;
    }
}
