/* Say where the process crashed: module and offset of every frame of the stack, since there are no symbols. */
#include <string.h>
#include <windows.h>
#include "host.h"

enum { MOST_FRAMES = 40, EXIT_CODE = 77 };
#define CALLED_WHAT_WINE_LACKS 0x80000100 /* with the library's name and the function's, or its number */
#define LEAST_ADDRESS 0x10000

static void report_place(DWORD64 address)
{
	const DWORD flags = GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT;
	HMODULE module = NULL;
	char path[MAX_PATH] = "?";
	if (GetModuleHandleExA(flags, (const char *)address, &module))
		GetModuleFileNameA(module, path, sizeof path);
	const char *name = strrchr(path, '\\');
	report("crash", "%s+0x%llx", name ? name + 1 : path, address - (DWORD64)module);
}

static bool unwind(CONTEXT *context)
{
	DWORD64 base, frame;
	void *handler_data;
	PRUNTIME_FUNCTION function = RtlLookupFunctionEntry(context->Rip, &base, NULL);
	if (function) {
		RtlVirtualUnwind(UNW_FLAG_NHANDLER, base, context->Rip, function, context, &handler_data, &frame, NULL);
	} else { /* a leaf, or a jump to nowhere: the caller's address is on top of the stack */
		context->Rip = *(DWORD64 *)context->Rsp;
		context->Rsp += sizeof(DWORD64);
	}
	return context->Rip != 0;
}

static void report_exception(const EXCEPTION_RECORD *record)
{
	report("crash", "exception 0x%08lx in thread %lu", record->ExceptionCode, GetCurrentThreadId());
	if (record->ExceptionCode != CALLED_WHAT_WINE_LACKS || record->NumberParameters != 2)
		return;
	const char *library = (const char *)record->ExceptionInformation[0];
	if (record->ExceptionInformation[1] < LEAST_ADDRESS)
		report("crash", "Wine lacks function %llu of %s", record->ExceptionInformation[1], library);
	else
		report("crash", "Wine lacks %s of %s", (const char *)record->ExceptionInformation[1], library);
}

static LONG WINAPI report_crash(EXCEPTION_POINTERS *exception)
{
	CONTEXT context = *exception->ContextRecord;
	report_exception(exception->ExceptionRecord);
	for (int frame = 0; frame < MOST_FRAMES; frame++) {
		report_place(context.Rip);
		if (!unwind(&context))
			break;
	}
	TerminateProcess(GetCurrentProcess(), EXIT_CODE);
	return EXCEPTION_CONTINUE_SEARCH;
}

/* To be called after obs_startup, which sets a handler of libobs's own. */
void report_crashes(void)
{
	SetUnhandledExceptionFilter(report_crash);
}
