package io.leasehold.testkit.history;

import org.jspecify.annotations.Nullable;

/// What `ConcurrentMap` says of one key.
record MapEntry() implements Specification<Long> {
    @Override
    public Long initial() {
        return Operation.NONE;
    }

    @Override
    public @Nullable Long step(Long state, Operation operation) {
        long now = state;
        boolean present = now != Operation.NONE;
        long next = switch (operation.kind()) {
            case GET -> now;
            case PUT -> operation.argument();
            case PUT_IF_ABSENT -> present ? now : operation.argument();
            case REMOVE -> Operation.NONE;
            case REMOVE_IF -> present && now == operation.argument() ? Operation.NONE : now;
            case REPLACE -> present ? operation.argument() : now;
            case REPLACE_IF -> present && now == operation.argument() ? operation.second() : now;
            case COMPUTE -> now == operation.argument() ? operation.second() : now;
            default -> throw new IllegalArgumentException("not an operation of a map: " + operation);
        };
        return operation.isPending() || answer(operation, now, present) == operation.result() ? (Long) next : null;
    }

    private static long answer(Operation operation, long now, boolean present) {
        return switch (operation.kind()) {
            case REMOVE_IF, REPLACE_IF -> present && now == operation.argument() ? 1 : 0;
            case COMPUTE -> now == operation.argument() ? operation.second() : ~operation.result();
            default -> now;
        };
    }
}
