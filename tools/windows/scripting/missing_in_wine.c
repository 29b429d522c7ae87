/* libobs-d3d11.dll imports functions that Wine's gdi32.dll does not have, and Wine ends a program that calls one.
 *
 * They ask the driver about the graphics card and for a higher priority; where they refuse, libobs logs that and goes
 * on. So those that are missing, and only those, get one here that refuses, in the module's import table.
 */
#include <string.h>
#include <windows.h>
#include "host.h"

static LONG WINAPI refuse(void)
{
	return (LONG)0xC0000001; /* STATUS_UNSUCCESSFUL; the caller cleans up the arguments */
}

static void fill_in(char *module, const IMAGE_IMPORT_DESCRIPTOR *from)
{
	HMODULE library = GetModuleHandleA(module + from->Name);
	IMAGE_THUNK_DATA *names = (IMAGE_THUNK_DATA *)(module + from->OriginalFirstThunk);
	IMAGE_THUNK_DATA *functions = (IMAGE_THUNK_DATA *)(module + from->FirstThunk);
	for (; names->u1.AddressOfData; names++, functions++) {
		if (IMAGE_SNAP_BY_ORDINAL(names->u1.Ordinal))
			continue;
		const char *name = ((IMAGE_IMPORT_BY_NAME *)(module + names->u1.AddressOfData))->Name;
		if (strncmp(name, "D3DKMT", 6) != 0 || GetProcAddress(library, name))
			continue;
		DWORD before;
		VirtualProtect(functions, sizeof *functions, PAGE_READWRITE, &before);
		functions->u1.Function = (ULONG_PTR)refuse;
		VirtualProtect(functions, sizeof *functions, before, &before);
		report("lent", "%s", name);
	}
}

/* Load the module, which libobs then finds loaded, and fill the gaps. */
void lend_missing_functions(const char *name)
{
	char *module = (char *)LoadLibraryA(name);
	if (!module)
		fail("%s could not be loaded (error %lu).", name, GetLastError());
	IMAGE_NT_HEADERS *headers = (IMAGE_NT_HEADERS *)(module + ((IMAGE_DOS_HEADER *)module)->e_lfanew);
	DWORD imports = headers->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_IMPORT].VirtualAddress;
	for (IMAGE_IMPORT_DESCRIPTOR *from = (IMAGE_IMPORT_DESCRIPTOR *)(module + imports); from->Name; from++)
		fill_in(module, from);
}
