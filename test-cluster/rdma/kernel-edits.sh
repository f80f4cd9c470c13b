# shellcheck shell=bash
# The edits that build-guest.sh makes to the kernel's sources; sourced. Each runs in the root of the sources, and fails
# if it does not find the place that it was written for.

# edit FILE SUBSTITUTION: runs perl's substitution on the whole file; it must change something.
edit() {
  local file=$1 substitution=$2
  # shellcheck disable=SC2016
  if ! perl -0777 -pi -e 'BEGIN { $edits = 0 } $edits += ('"$substitution"'); END { $? = 1 if !$edits }' "$file"; then
    say "could not edit $file: this kernel differs from Linux 6.1, which the edits are for" >&2
    return 1
  fi
}

# edit_for_this_host: lets user-mode Linux run on processors with AVX-512 and AMX, whose register state is larger than
# Linux 6.1 has room for: it would stop at boot, or spoil registers when a signal handler returns.
# shellcheck disable=SC2016
edit_for_this_host() {
  edit arch/x86/um/user-offsets.c 's/(HOST_FP_SIZE, )2696\b/${1}11264/g'
  edit arch/x86/um/signal.c 's/struct _xstate\b/struct frame_fpstate/g'
  edit arch/x86/um/signal.c 's/^#include <skas.h>\n/$&\nstruct frame_fpstate {
	struct _fpstate fpstate;
	char extended[2696 - sizeof(struct _fpstate)];
};\n/m'
}

rxe_responder=drivers/infiniband/sw/rxe/rxe_resp.c

# edit_window_bounds: makes Soft-RoCE check a remote access against the window's own bounds, and not only against those
# of the memory region below it; see docs/rxe-window-bounds.md. The file as shipped is kept beside it.
edit_window_bounds() {
  cp -p "$rxe_responder" "$rxe_responder.as-shipped"
  edit "$rxe_responder" 's/\t\trxe_get\(mr\);\n\t\trxe_put\(mw\);\n/
		{
			u64 start = va + qp->resp.offset;

			if (start < mw->addr || resid > mw->length ||
			    start - mw->addr > mw->length - resid) {
				mr = NULL;
				state = RESPST_ERR_RKEY_VIOLATION;
				goto err;
			}
		}
$&/'
}

# undo_window_bounds: back to the file as shipped.
undo_window_bounds() {
  mv "$rxe_responder.as-shipped" "$rxe_responder"
  # Make goes by the date.
  touch "$rxe_responder"
}
