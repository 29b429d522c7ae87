/* A stand-in for the device of the kernel's module v4l2loopback, for a machine whose kernel has no such module.
 *
 * Put in front of OBS with LD_PRELOAD it stands where the kernel would, and nowhere else: OBS's own plugin looks for the
 * module, finds the device, sets its format and writes its pictures. $EOAM_LOOPBACK is a folder:
 *     modules        what /proc/modules says; without this file the module is not loaded
 *     dev/video*     the devices; the pictures that OBS writes are appended to the file
 *     calls          one line per call, written here
 * Of the two sides of such a device this is the one that pictures are written to (V4L2's "output"). What the calls must
 * hold is what V4L2 demands of them; a wrong one is refused with EINVAL, as the kernel does.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct v4l2_pix_format pixels = {.width = 640, .height = 480, .pixelformat = V4L2_PIX_FMT_YUYV};

/* Where a path of the kernel's lies in the folder, or the path itself if it is none of ours. */
static const char *place_of(const char *path, char *buffer, size_t size)
{
	const char *folder = getenv("EOAM_LOOPBACK");
	if (!folder || !path)
		return path;
	if (strcmp(path, "/proc/modules") == 0)
		snprintf(buffer, size, "%s/modules", folder);
	else if (strcmp(path, "/dev") == 0 || strncmp(path, "/dev/video", 10) == 0)
		snprintf(buffer, size, "%s%s", folder, path);
	else
		return path;
	return buffer;
}

static void note(const char *format, ...)
{
	char place[4096];
	const char *folder = getenv("EOAM_LOOPBACK");
	if (!folder)
		return;
	snprintf(place, sizeof(place), "%s/calls", folder);
	int file = open(place, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (file < 0)
		return;
	va_list values;
	va_start(values, format);
	vdprintf(file, format, values);
	va_end(values);
	close(file);
}

FILE *fopen(const char *path, const char *mode)
{
	char buffer[4096];
	FILE *(*real)(const char *, const char *) = (FILE * (*)(const char *, const char *)) dlsym(RTLD_NEXT, "fopen");
	return real(place_of(path, buffer, sizeof(buffer)), mode);
}

int scandir(const char *path, struct dirent ***list, int (*filter)(const struct dirent *),
	    int (*compare)(const struct dirent **, const struct dirent **))
{
	char buffer[4096];
	int (*real)(const char *, struct dirent ***, int (*)(const struct dirent *),
		    int (*)(const struct dirent **, const struct dirent **)) =
		(int (*)(const char *, struct dirent ***, int (*)(const struct dirent *),
			 int (*)(const struct dirent **, const struct dirent **)))dlsym(RTLD_NEXT, "scandir");
	return real(place_of(path, buffer, sizeof(buffer)), list, filter, compare);
}

int open(const char *path, int flags, ...)
{
	char buffer[4096];
	int (*real)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open");
	mode_t mode = 0;
	if (flags & (O_CREAT | O_TMPFILE)) {
		va_list values;
		va_start(values, flags);
		mode = va_arg(values, mode_t);
		va_end(values);
	}
	const char *place = place_of(path, buffer, sizeof(buffer));
	return real(place, place == buffer ? flags | O_APPEND : flags, mode);
}

/* Whether a descriptor is that of one of our devices. */
static int is_device(int descriptor)
{
	char link[64], place[4096], wanted[4096];
	const char *folder = getenv("EOAM_LOOPBACK");
	if (!folder)
		return 0;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", descriptor);
	ssize_t length = readlink(link, place, sizeof(place) - 1);
	if (length < 0)
		return 0;
	place[length] = 0;
	snprintf(wanted, sizeof(wanted), "%s/dev/video", folder);
	return strncmp(place, wanted, strlen(wanted)) == 0;
}

static int refuse(const char *call)
{
	note("%s refused\n", call);
	errno = EINVAL;
	return -1;
}

static int answer(unsigned long request, void *argument)
{
	struct v4l2_capability *capability = argument;
	struct v4l2_format *format = argument;
	struct v4l2_streamparm *parameters = argument;
	switch (request) {
	case VIDIOC_QUERYCAP:
		memset(capability, 0, sizeof(*capability));
		strcpy((char *)capability->driver, "v4l2 loopback");
		strcpy((char *)capability->card, "OBS Virtual Camera");
		capability->device_caps = V4L2_CAP_VIDEO_OUTPUT | V4L2_CAP_READWRITE | V4L2_CAP_STREAMING;
		capability->capabilities = capability->device_caps | V4L2_CAP_DEVICE_CAPS;
		note("QUERYCAP\n");
		return 0;
	case VIDIOC_G_FMT:
		if (format->type != V4L2_BUF_TYPE_VIDEO_OUTPUT)
			return refuse("G_FMT");
		format->fmt.pix = pixels;
		note("G_FMT\n");
		return 0;
	case VIDIOC_S_PARM:
		if (parameters->type != V4L2_BUF_TYPE_VIDEO_OUTPUT)
			return refuse("S_PARM");
		note("S_PARM %u/%u\n", parameters->parm.output.timeperframe.numerator,
		     parameters->parm.output.timeperframe.denominator);
		return 0;
	case VIDIOC_S_FMT:
		if (format->type != V4L2_BUF_TYPE_VIDEO_OUTPUT || format->fmt.pix.pixelformat != V4L2_PIX_FMT_YUYV)
			return refuse("S_FMT");
		pixels = format->fmt.pix;
		pixels.bytesperline = 2 * pixels.width;
		pixels.sizeimage = pixels.bytesperline * pixels.height;
		format->fmt.pix = pixels;
		note("S_FMT %ux%u YUYV %u\n", pixels.width, pixels.height, pixels.sizeimage);
		return 0;
	case VIDIOC_STREAMON:
	case VIDIOC_STREAMOFF: {
		const char *call = request == VIDIOC_STREAMON ? "STREAMON" : "STREAMOFF";
		if (*(int *)argument != V4L2_BUF_TYPE_VIDEO_OUTPUT)
			return refuse(call);
		note("%s\n", call);
		return 0;
	}
	default:
		errno = ENOTTY;
		return -1;
	}
}

int ioctl(int descriptor, unsigned long request, ...)
{
	static int (*real)(int, unsigned long, ...);
	va_list values;
	va_start(values, request);
	void *argument = va_arg(values, void *);
	va_end(values);
	/* Those of video devices have the letter V; all others go on, and quickly. */
	if (_IOC_TYPE(request) == 'V' && is_device(descriptor))
		return answer(request, argument);
	if (!real)
		real = (int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
	return real(descriptor, request, argument);
}
