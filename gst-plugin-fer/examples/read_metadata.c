/* Prints the faces of a recording, ten frames apart, from the regions of interest on its buffers.
 *
 *     cc -o read_metadata gst-plugin-fer/examples/read_metadata.c \
 *         $(pkg-config --cflags --libs gstreamer-1.0 gstreamer-video-1.0)
 *     eval "$(./fer env)"
 *     ./read_metadata talk.mp4
 */

#include <gst/gst.h>
#include <gst/video/video.h>

/* What ferdetect knows of a face is in two parameters of its region: "detection" and "ferdetect". */
static void
print_face (guint64 frame, GstVideoRegionOfInterestMeta *region)
{
  GstStructure *emotion = gst_video_region_of_interest_meta_get_param (region, "ferdetect");
  gdouble confidence = 0;

  g_print ("frame %" G_GUINT64_FORMAT ": face %d at %u,%u of %ux%u", frame, region->id,
      region->x, region->y, region->w, region->h);
  /* A face that was not classified yet has none. */
  if (emotion != NULL && gst_structure_get_double (emotion, "confidence", &confidence))
    g_print (", %s (%s %.2f)", gst_structure_get_string (emotion, "stable"),
        gst_structure_get_string (emotion, "label"), confidence);
  g_print ("\n");
}

/* Called for each buffer, in the streaming thread. */
static void
on_buffer (GstElement *sink, GstBuffer *buffer, GstPad *pad, gpointer data)
{
  guint64 *frame = data;
  gpointer state = NULL;
  GstMeta *meta;

  (void) sink;
  (void) pad;
  if ((*frame)++ % 10 != 0)
    return;
  while ((meta = gst_buffer_iterate_meta_filtered (buffer, &state,
              GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE)) != NULL) {
    GstVideoRegionOfInterestMeta *region = (GstVideoRegionOfInterestMeta *) meta;

    if (region->roi_type == g_quark_from_static_string ("face"))
      print_face (*frame - 1, region);
  }
}

/* Waits for the end; whether it came without an error. */
static gboolean
ended_well (GstElement *pipeline)
{
  GstBus *bus = gst_element_get_bus (pipeline);
  GstMessage *message = gst_bus_timed_pop_filtered (bus, GST_CLOCK_TIME_NONE,
      GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  gboolean well = GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS;

  if (!well) {
    GError *error = NULL;

    gst_message_parse_error (message, &error, NULL);
    g_printerr ("%s\n", error->message);
    g_error_free (error);
  }
  gst_message_unref (message);
  gst_object_unref (bus);
  return well;
}

int
main (int argc, char **argv)
{
  GError *error = NULL;
  guint64 frame = 0;
  gboolean well;

  gst_init (&argc, &argv);
  if (argc != 2) {
    g_printerr ("usage: %s RECORDING\n", argv[0]);
    return 2;
  }
  /* Directly behind ferdetect: converters and encoders drop the regions' parameters. */
  GstElement *pipeline = gst_parse_launch ("filesrc name=file ! decodebin ! videoconvert ! "
      "ferdetect draw=false ! fakesink name=sink signal-handoffs=true", &error);
  if (pipeline == NULL) {
    g_printerr ("%s\n", error->message);
    g_error_free (error);
    return 1;
  }
  g_clear_error (&error);

  GstElement *file = gst_bin_get_by_name (GST_BIN (pipeline), "file");
  g_object_set (file, "location", argv[1], NULL);
  gst_object_unref (file);
  GstElement *sink = gst_bin_get_by_name (GST_BIN (pipeline), "sink");
  g_signal_connect (sink, "handoff", G_CALLBACK (on_buffer), &frame);
  gst_object_unref (sink);

  /* A failure to start is told on the bus. */
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  well = ended_well (pipeline);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline);
  return well ? 0 : 1;
}
